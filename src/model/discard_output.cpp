#include "model/discard_output.h"

#include <c10/core/GradMode.h>
#include <c10/core/Storage.h>

#include <memory>
#include <utility>

#include "longhaul/core/error.h"

namespace longhaul {

void discard_until_backward(const at::Tensor& intermediate, const at::Tensor& consumer_output,
                            std::function<at::Tensor()> recompute) {
  if (!c10::GradMode::is_enabled() || !consumer_output.requires_grad()) return;
  // The saved variable of the consumer shares this storage: giving the storage's memory away frees it there too.
  struct State {
    c10::Storage storage;
    std::function<at::Tensor()> recompute;
  };
  auto state = std::make_shared<State>(State{intermediate.storage(), std::move(recompute)});
  state->storage.set_data_ptr_noswap(c10::DataPtr(nullptr, intermediate.device()));
  consumer_output.register_hook([state](const at::Tensor&) {
    if (!state->recompute) return;  // filled already: a second backward through a retained graph
    c10::AutoGradMode no_grad(false);
    const at::Tensor again = std::exchange(state->recompute, nullptr)();
    const c10::Storage fresh = again.storage(),
                       discarded = std::move(state->storage);  // the hook outlives the consumer
    LONGHAUL_CHECK(fresh.nbytes() == discarded.nbytes(), "recomputed {} bytes where {} were discarded", fresh.nbytes(),
                   discarded.nbytes());
    discarded.set_data_ptr_noswap(fresh.set_data_ptr(c10::DataPtr(nullptr, again.device())));
  });
}

}  // namespace longhaul
