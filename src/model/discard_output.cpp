#include "model/discard_output.h"

#include <c10/core/GradMode.h>
#include <c10/core/Storage.h>

#include "longhaul/core/error.h"

namespace longhaul {

void discard_until_backward(const at::Tensor& intermediate, const at::Tensor& consumer_output,
                            std::function<at::Tensor()> recompute) {
  if (!c10::GradMode::is_enabled() || !consumer_output.requires_grad()) return;
  // The saved variable of the consumer shares this storage: giving the storage's memory away frees it there too.
  c10::Storage storage = intermediate.storage();
  storage.set_data_ptr_noswap(c10::DataPtr(nullptr, intermediate.device()));
  consumer_output.register_hook([storage, recompute = std::move(recompute)](const at::Tensor&) mutable {
    c10::AutoGradMode no_grad(false);
    const at::Tensor again = recompute();
    const c10::Storage& fresh = again.storage();
    LONGHAUL_CHECK(fresh.nbytes() == storage.nbytes(), "recomputed {} bytes where {} were discarded", fresh.nbytes(),
                   storage.nbytes());
    storage.set_data_ptr_noswap(std::move(const_cast<c10::Storage&>(fresh).mutable_data_ptr()));
    recompute = nullptr;
  });
}

}  // namespace longhaul
