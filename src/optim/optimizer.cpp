#include "longhaul/optim/optimizer.h"

#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>

#include "ops/tensor_buffer.h"

namespace longhaul {
namespace {

// `range` of the flat layout in `tensor`, which holds what the share does.
at::Tensor part(const at::Tensor& tensor, const UnitShare& share, FlatRange range) {
  return tensor.narrow(0, range.begin - share.range.begin, range.count());
}

}  // namespace

Optimizer::Optimizer(ParameterStore& store, const OptimizerConfig& config, const OptimizerRanks& ranks)
    : store_(store),
      config_(config),
      ranks_(ranks),
      data_(store, ranks.data, ranks.sharding, ranks.gradient_reduction),
      sums_(store, data_.shares(), ranks.ends) {
  c10::AutoGradMode no_grad(false);
  for (const UnitShare& share : data_.shares()) {
    const at::Tensor& values = share.values;
    const at::Tensor master = values.scalar_type() == at::kBFloat16 ? values.to(at::kFloat) : values;
    states_.push_back({master, at::zeros_like(master), at::zeros_like(master)});
  }
}

void Optimizer::fill(const std::function<void(std::vector<Parameter>& parameters)>& fill) {
  c10::AutoGradMode no_grad(false);
  for (size_t u = 0; u < states_.size(); ++u) {
    const at::Tensor& master = states_[u].master;
    const FlatRange unit = store_.units()[u].range, share = data_.shares()[u].range;
    const at::Tensor whole = data_.sharded() ? at::zeros({unit.count()}, master.options()) : master;
    std::vector<Parameter> parameters = store_.views_of(u, whole);
    fill(parameters);
    if (data_.sharded()) at::Tensor(master).copy_(whole.narrow(0, share.begin - unit.begin, share.count()));
  }
}

std::vector<Optimizer::Piece> Optimizer::pieces(PieceChoice choice) const {
  std::vector<Piece> pieces;
  for (size_t u = 0; u < states_.size(); ++u) {
    const UnitShare& share = data_.shares()[u];
    // What every data-parallel rank has, each saves its share of.
    const bool alike = choice == PieceChoice::owned && !data_.sharded();
    for (const FlatPiece& piece : flat_pieces(store_, alike ? share_of(share.range, ranks_.data) : share.range, choice)) {
      const Parameter& p = store_.parameters()[piece.parameter];
      int64_t count = 1;
      for (const int64_t size : piece.shape) count *= size;
      const auto view = [&](const at::Tensor& tensor) {
        return part(tensor, share, {piece.begin, piece.begin + count}).view(piece.shape);
      };
      const State& state = states_[u];
      pieces.push_back({p.name, view(state.master), view(state.moment1), view(state.moment2), p.shard.global_shape,
                        piece.offsets});
    }
  }
  return pieces;
}

void Optimizer::publish() {
  c10::AutoGradMode no_grad(false);
  data_.wait_for_values();
  for (size_t u = 0; u < states_.size(); ++u) {
    const at::Tensor& values = data_.shares()[u].values;
    if (!values.is_same(states_[u].master)) values.copy_(states_[u].master);
    data_.values_changed(u);
  }
  data_.wait_for_values();
}

// Sums the gradients over all ranks that hold a part of them, as far as this one needs them; returns the square of their
// global norm, FP64 [1] on the device.
at::Tensor Optimizer::sum_gradients() {
  data_.finish_gradients();
  sums_.run();
  const at::Tensor square = at::zeros({1}, at::TensorOptions().dtype(at::kDouble).device(store_.options().device));
  for (const FlatRange owned : store_.owned_ranges()) {
    for (const UnitShare& share : data_.shares()) {
      const FlatRange range = intersection(owned, share.range);
      if (range.count() > 0) ops::add_squared_norm(part(share.gradients, share, range), square);
    }
  }
  if (data_.sharded()) ops::sum_over(ranks_.data, square);
  ops::sum_over(ranks_.model, square);
  return square;
}

// What of `range` this rank holds of the unit.
void Optimizer::update(size_t unit, FlatRange range, const ops::AdamWOptions& options) {
  const UnitShare& share = data_.shares()[unit];
  const FlatRange held = intersection(range, share.range);
  if (held.count() == 0) return;
  const State& state = states_[unit];
  const bool own_copy = !share.values.is_same(state.master);
  ops::adamw_step(part(state.master, share, held), part(state.moment1, share, held), part(state.moment2, share, held),
                  part(share.gradients, share, held), own_copy ? part(share.values, share, held) : at::Tensor(), options,
                  /*zero_grad=*/true);
}

double Optimizer::step(double learning_rate) {
  c10::AutoGradMode no_grad(false);
  const at::Tensor square = sum_gradients();
  ops::AdamWOptions options;
  options.lr = learning_rate;
  options.beta1 = config_.beta1;
  options.beta2 = config_.beta2;
  options.eps = config_.eps;
  options.step = ++steps_taken_;
  options.grad_scale = ops::clipping_scale(square, config_.clip_norm);

  data_.wait_for_values();
  for (size_t u = 0; u < states_.size(); ++u) {  // in the order in which the next forward waits for them
    const ParameterUnit& unit = store_.units()[u];
    options.weight_decay = config_.weight_decay;
    update(u, {unit.range.begin, unit.decayed_end}, options);
    options.weight_decay = 0;
    update(u, {unit.decayed_end, unit.range.end}, options);
    data_.values_changed(u);
  }
  const double norm = std::sqrt(square.item<double>());  // the first that waits for the device
  if (!std::isfinite(norm)) --steps_taken_;              // and nothing was changed
  return norm;
}

}  // namespace longhaul
