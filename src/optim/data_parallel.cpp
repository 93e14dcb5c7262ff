#include "longhaul/optim/data_parallel.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <algorithm>

#include "longhaul/core/error.h"
#include "ops/tensor_buffer.h"
#include "ops/tensor_memory.h"

namespace longhaul {

FlatRange share_of(FlatRange unit, const comm::Communicator* ranks) {
  if (ranks == nullptr) return unit;
  LONGHAUL_CHECK(unit.count() % ranks->size() == 0, "{} elements over {} ranks", unit.count(), ranks->size());
  const int64_t length = unit.count() / ranks->size(), begin = unit.begin + ranks->rank() * length;
  return {begin, begin + length};
}

DataParallel::DataParallel(ParameterStore& store, comm::Communicator* ranks, Sharding sharding,
                           GradientReduction reduction)
    : store_(store),
      ranks_(ranks),
      sharding_(ranks != nullptr ? sharding : Sharding::none),
      reduction_(reduction),
      gradients_(store.units().size()),
      gathering_(store.units().size()) {
  LONGHAUL_CHECK(store.options().main_grads, "the model has no main gradients");
  LONGHAUL_CHECK(store.options().values_on_demand == (sharding_ == Sharding::parameters) &&
                     store.options().gradients_on_demand == (sharding_ >= Sharding::gradients),
                 "the store has in memory what is sharded, or not what isn't");
  c10::AutoGradMode no_grad(false);
  for (const ParameterUnit& unit : store.units()) {
    const FlatRange range = share_of(unit.range, sharded() ? ranks : nullptr);
    const auto share = [&](const at::Tensor& whole, bool on_demand) {
      if (on_demand) return at::zeros({range.count()}, whole.options());
      return whole.narrow(0, range.begin - unit.range.begin, range.count());
    };
    shares_.push_back({range, share(unit.values, store.options().values_on_demand),
                       share(unit.main_grads, store.options().gradients_on_demand)});
  }
  if (ranks != nullptr) store.tell(this);
}

DataParallel::~DataParallel() {
  if (store_.events() == this) store_.tell(nullptr);
}

// Values

void DataParallel::gather(size_t unit) {
  const at::Tensor& values = store_.units()[unit].values;
  if (sharding_ == Sharding::parameters) {
    if (ops::has_memory(values)) return;
    ops::take_memory(values, at::empty(values.sizes(), values.options()));
  }
  gathering_[unit].wait();
  gathering_[unit] = ranks_->all_gather(ops::buffer_of(shares_[unit].values), ops::buffer_of(values));
}

void DataParallel::values_changed(size_t unit) {
  if (sharding_ == Sharding::optimizer || sharding_ == Sharding::gradients) gather(unit);
  if (sharding_ == Sharding::parameters) values_used(unit);  // what is still there is old
}

void DataParallel::wait_for_values() {
  for (comm::Work& work : gathering_) work.wait();
}

void DataParallel::use_values(size_t unit, std::optional<size_t> next) {
  if (sharding_ == Sharding::parameters) {
    gather(unit);
    if (next) gather(*next);
  }
  gathering_[unit].wait();
}

void DataParallel::values_used(size_t unit) {
  if (sharding_ != Sharding::parameters) return;
  gathering_[unit].wait();
  ops::give_memory_back(store_.units()[unit].values);
}

// Gradients

void DataParallel::begin_batch(int64_t micro_batches) {
  for (Gradients& gradients : gradients_) gradients = {micro_batches, false};
}

void DataParallel::use_gradients(size_t unit) {
  if (sharding_ < Sharding::gradients) return;
  const at::Tensor& gradients = store_.units()[unit].main_grads;
  // What is under way of this very unit comes first; of others at most one whole gradient stays so.
  const auto own = [&](const Reduction& r) { return r.unit == unit; };
  while (reductions_.size() > 1 || std::any_of(reductions_.begin(), reductions_.end(), own)) finish_reduction();
  if (ops::has_memory(gradients)) return;
  ops::take_memory(gradients, at::zeros(gradients.sizes(), gradients.options()));
}

void DataParallel::gradients_added(size_t unit) {
  if (!reductions_.empty()) (void)reductions_.front().work.done();  // communication on CPUs moves on when it is asked
  // GPipe has added those of all micro-batches to the output layer's before the first backward: none are left then.
  const bool all = --gradients_[unit].awaited == 0 || sharding_ >= Sharding::gradients;
  if (all && ops::has_memory(store_.units()[unit].main_grads)) reduce(unit);
}

// Sends the unit's gradients on their way.
void DataParallel::reduce(size_t unit) {
  c10::AutoGradMode no_grad(false);
  store_.collect_autograd_gradients(unit);
  gradients_[unit].sent = true;
  if (ranks_ == nullptr) return;
  const at::Tensor& whole = store_.units()[unit].main_grads;
  const at::Tensor& share = shares_[unit].gradients;
  const bool rounds = reduction_ == GradientReduction::bf16, adds = sharding_ >= Sharding::gradients;
  Reduction r{unit, rounds ? whole.to(at::kBFloat16) : whole, share, {}};
  if (rounds && adds) ops::give_memory_back(whole);
  if (sharded()) {
    if (rounds || adds) r.sum = at::empty(share.sizes(), r.data.options());
    r.work = ranks_->reduce_scatter(ops::buffer_of(r.data), ops::buffer_of(r.sum));
  } else {
    if (rounds) r.sum = r.data;
    r.work = ranks_->all_reduce(ops::buffer_of(r.data));
  }
  reductions_.push_back(std::move(r));
}

// Waits for the oldest.
void DataParallel::finish_reduction() {
  c10::AutoGradMode no_grad(false);
  Reduction r = std::move(reductions_.front());
  reductions_.pop_front();
  r.work.wait();
  const ParameterUnit& unit = store_.units()[r.unit];
  const UnitShare& share = shares_[r.unit];
  if (sharding_ >= Sharding::gradients) {
    at::Tensor(share.gradients).add_(r.sum);
    if (r.data.is_same(unit.main_grads)) ops::give_memory_back(unit.main_grads);
    return;
  }
  if (!r.sum.is_same(share.gradients)) at::Tensor(share.gradients).copy_(r.sum);
  if (!sharded()) return;
  // The other ranks' parts went to them: the next batch begins with zeros.
  const int64_t before = share.range.begin - unit.range.begin, behind = before + share.range.count();
  unit.main_grads.narrow(0, 0, before).zero_();
  unit.main_grads.narrow(0, behind, unit.range.count() - behind).zero_();
}

void DataParallel::finish_gradients() {
  const auto finish_all = [&] {
    while (!reductions_.empty()) finish_reduction();
  };
  if (sharding_ >= Sharding::gradients) finish_all();  // what has memory after that was not sent
  for (size_t unit = store_.units().size(); unit-- > 0;) {
    const bool sent =
        sharding_ >= Sharding::gradients ? !ops::has_memory(store_.units()[unit].main_grads) : gradients_[unit].sent;
    if (!sent) reduce(unit);
  }
  finish_all();
  for (Gradients& gradients : gradients_) gradients = {};
}

}  // namespace longhaul
