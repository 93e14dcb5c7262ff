#include "longhaul/optim/optimizer.h"

#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

#include <cmath>

#include "ops/host_copies.h"
#include "ops/tensor_buffer.h"
#include "optim/host_units.h"

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
      copies_(std::make_unique<const ops::HostCopies>(store.options().device)),
      sums_(store, data_.shares(), ranks.ends) {
  c10::AutoGradMode no_grad(false);
  if (config.offload) host_ = std::make_unique<HostUnits>(data_.shares(), store.options().device);
  for (size_t u = 0; u < data_.shares().size(); ++u) {
    const UnitShare& share = data_.shares()[u];
    const auto moment = [&] { return host_ ? host_->moment(u).zero_() : at::zeros_like(share.gradients); };
    const auto master = [&] { return host_ ? host_->master(u) : at::empty_like(share.gradients); };
    const bool own_master = host_ || share.values.scalar_type() == at::kBFloat16;
    states_.push_back({own_master ? master().copy_(share.values) : share.values, moment(), moment()});
  }
}

Optimizer::~Optimizer() = default;

void Optimizer::fill(const std::function<void(std::vector<Parameter>& parameters)>& fill) {
  c10::AutoGradMode no_grad(false);
  for (size_t u = 0; u < states_.size(); ++u) {
    const at::Tensor& master = states_[u].master;
    const FlatRange share = data_.shares()[u].range, rows = store_.whole_rows(share);
    const at::Tensor values = rows == share ? master : at::zeros({rows.count()}, master.options());
    std::vector<Parameter> parameters = store_.views_of(rows, values);
    fill(parameters);
    if (!values.is_same(master)) {
      at::Tensor(master).copy_(values.narrow(0, share.begin - rows.begin, share.count()));
    }
  }
}

std::vector<Optimizer::Piece> Optimizer::pieces(PieceChoice choice) const {
  std::vector<Piece> pieces;
  for (size_t u = 0; u < states_.size(); ++u) {
    const UnitShare& share = data_.shares()[u];
    // What every data-parallel rank has, each saves its share of.
    const bool alike = choice == PieceChoice::owned && !data_.sharded();
    for (const FlatPiece& piece :
         flat_pieces(store_, alike ? share_of(share.range, ranks_.data) : share.range, choice)) {
      const Parameter& p = store_.parameters()[piece.parameter];
      int64_t count = 1;
      for (const int64_t size : piece.shape) count *= size;
      const auto view = [&](const at::Tensor& tensor) {
        return part(tensor, share, {piece.begin, piece.begin + count}).view(piece.shape);
      };
      const State& state = states_[u];
      pieces.push_back(
          {p.name, view(state.master), view(state.moment1), view(state.moment2), p.shard.global_shape, piece.offsets});
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

// Sums the gradients over all ranks that hold a part of them, as far as this one needs them; returns the square of
// their global norm, FP64 [1] on the device.
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

// What of `range` this rank holds of the unit. `values`: where the masters' rounded copy goes; undefined: nowhere.
void Optimizer::update(size_t unit, FlatRange range, const at::Tensor& gradients, const at::Tensor& values,
                       const ops::AdamWOptions& options) {
  const UnitShare& share = data_.shares()[unit];
  const FlatRange held = intersection(range, share.range);
  if (held.count() == 0) return;
  const State& state = states_[unit];
  ops::adamw_step(part(state.master, share, held), part(state.moment1, share, held), part(state.moment2, share, held),
                  part(gradients, share, held), values.defined() ? part(values, share, held) : at::Tensor(), options,
                  /*zero_grad=*/true);
}

void Optimizer::update(size_t unit, ops::AdamWOptions options) {
  const UnitShare& share = data_.shares()[unit];
  const at::Tensor& master = states_[unit].master;
  const HostUnits::Operands operands =
      host_ ? host_->take(unit)
            : HostUnits::Operands{share.gradients, share.values.is_same(master) ? at::Tensor() : share.values};
  const ParameterUnit& whole = store_.units()[unit];
  options.weight_decay = config_.weight_decay;
  update(unit, {whole.range.begin, whole.decayed_end}, operands.gradients, operands.values, options);
  options.weight_decay = 0;
  update(unit, {whole.decayed_end, whole.range.end}, operands.gradients, operands.values, options);
  if (host_) host_->give_back(unit, master);
}

double Optimizer::step(double learning_rate) {
  c10::AutoGradMode no_grad(false);
  at::Tensor square = sum_gradients();
  // On its way to the host before the values change: while they do, the host learns the norm and goes on.
  const at::Tensor square_on_host = copies_->host_tensor({1}, at::kDouble);
  ops::HostCopies::Ticket arriving = copies_->to_host(square, square_on_host);
  const auto norm_of = [&] {
    arriving.wait();
    return std::sqrt(square_on_host.item<double>());
  };
  if (host_) {  // the CPU steps, and has to wait for the gradients in any case
    if (const double norm = norm_of(); !std::isfinite(norm)) return norm;
    square = square_on_host;
  }
  ops::AdamWOptions options;
  options.lr = learning_rate;
  options.beta1 = config_.beta1;
  options.beta2 = config_.beta2;
  options.eps = config_.eps;
  options.step = ++steps_taken_;
  options.grad_scale = ops::clipping_scale(square, config_.clip_norm);

  data_.wait_for_values();
  for (size_t u = 0; u < states_.size(); ++u) {  // in the order in which the next forward waits for them
    update(u, options);
    data_.values_changed(u);
  }
  const double norm = norm_of();
  if (!std::isfinite(norm)) --steps_taken_;  // and nothing was changed
  return norm;
}

}  // namespace longhaul
