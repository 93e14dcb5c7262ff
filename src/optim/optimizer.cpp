#include "longhaul/optim/optimizer.h"

#include <ATen/ops/full.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>

#include "longhaul/core/error.h"
#include "longhaul/ops/adamw.h"
#include "ops/tensor_buffer.h"

namespace longhaul {
namespace {

constexpr double kClipEps = 1e-6;  // as torch.nn.utils.clip_grad_norm_ and Megatron-LM have it

// The rank's equal share of `elements`.
FlatRange share_of(int64_t elements, const comm::Communicator* ranks) {
  if (ranks == nullptr) return {0, elements};
  LONGHAUL_CHECK(elements % ranks->size() == 0, "{} elements over {} ranks", elements, ranks->size());
  const int64_t length = elements / ranks->size();
  return {ranks->rank() * length, (ranks->rank() + 1) * length};
}

FlatRange intersection(FlatRange a, FlatRange b) {
  const int64_t begin = std::max(a.begin, b.begin);
  return {begin, std::max(begin, std::min(a.end, b.end))};
}

}  // namespace

Optimizer::Optimizer(ParameterStore& store, const OptimizerConfig& config, const OptimizerRanks& ranks)
    : store_(store), config_(config), ranks_(ranks), sums_(store, ranks.ends) {
  LONGHAUL_CHECK(store.flat_main_grads().defined(), "the model has no main gradients");
  c10::AutoGradMode no_grad(false);
  held_ = share_of(store.flat_values().numel(), ranks.sharded ? ranks.data : nullptr);
  const at::Tensor values = store.flat_values().narrow(0, held_.begin, held_.end - held_.begin);
  master_ = values.scalar_type() == at::kBFloat16 ? values.to(at::kFloat) : values;
  moment1_ = at::zeros_like(master_);
  moment2_ = at::zeros_like(master_);
}

// `range` of the flat buffers, in one that covers what this rank holds.
at::Tensor Optimizer::part(const at::Tensor& flat, FlatRange range) const {
  return flat.narrow(0, range.begin - held_.begin, range.end - range.begin);
}

void Optimizer::fill(const std::function<void(std::vector<Parameter>& parameters)>& fill) {
  c10::AutoGradMode no_grad(false);
  const bool whole = master_.numel() == store_.flat_values().numel();
  const at::Tensor flat = whole ? master_ : at::zeros_like(store_.flat_values(), master_.scalar_type());
  std::vector<Parameter> parameters = store_.views_of(flat);
  fill(parameters);
  if (!whole) master_.copy_(flat.narrow(0, held_.begin, held_.end - held_.begin));
}

std::vector<Optimizer::Piece> Optimizer::pieces(PieceChoice choice) const {
  // What every data-parallel rank has, each saves its share of.
  const bool saves = choice == PieceChoice::owned;
  const FlatRange range = saves ? share_of(store_.flat_values().numel(), ranks_.data) : held_;
  std::vector<Piece> pieces;
  for (const FlatPiece& piece : flat_pieces(store_, range, choice)) {
    const Parameter& p = store_.parameters()[piece.parameter];
    int64_t count = 1;
    for (const int64_t size : piece.shape) count *= size;
    const auto view = [&](const at::Tensor& flat) {
      return part(flat, {piece.begin, piece.begin + count}).view(piece.shape);
    };
    pieces.push_back({p.name, view(master_), view(moment1_), view(moment2_), p.shard.global_shape, piece.offsets});
  }
  return pieces;
}

void Optimizer::publish() {
  c10::AutoGradMode no_grad(false);
  const at::Tensor& values = store_.flat_values();
  const at::Tensor own = values.narrow(0, held_.begin, held_.end - held_.begin);
  if (own.data_ptr() != master_.data_ptr()) own.copy_(master_);
  if (ranks_.sharded && ranks_.data != nullptr) {
    ranks_.data->all_gather(ops::buffer_of(own), ops::buffer_of(values)).wait();
  }
}

// Sums the gradients over all ranks that hold a part of them, as far as this one needs them; returns their global norm.
double Optimizer::sum_gradients() {
  store_.collect_autograd_gradients();
  sums_.run();
  const at::Tensor& grads = store_.flat_main_grads();
  if (ranks_.data != nullptr) {
    if (ranks_.sharded) {
      const at::Tensor own = grads.narrow(0, held_.begin, held_.end - held_.begin);
      ranks_.data->reduce_scatter(ops::buffer_of(grads), ops::buffer_of(own)).wait();
    } else {
      ops::sum_over(ranks_.data, grads);
    }
  }
  double square = 0;
  for (const FlatRange owned : store_.owned_ranges()) {
    const FlatRange range = intersection(owned, held_);
    if (range.begin < range.end) square += ops::squared_norm(grads.narrow(0, range.begin, range.end - range.begin));
  }
  const bool by_data = ranks_.sharded && ranks_.data != nullptr;
  if (by_data || ranks_.model != nullptr) {
    const at::Tensor sum = at::full({1}, square, grads.options().dtype(at::kDouble));
    if (by_data) ops::sum_over(ranks_.data, sum);
    ops::sum_over(ranks_.model, sum);
    square = sum.item<double>();
  }
  return std::sqrt(square);
}

double Optimizer::step(double learning_rate) {
  c10::AutoGradMode no_grad(false);
  const double norm = sum_gradients();
  if (!std::isfinite(norm)) return norm;

  ops::AdamWOptions options;
  options.lr = learning_rate;
  options.beta1 = config_.beta1;
  options.beta2 = config_.beta2;
  options.eps = config_.eps;
  options.step = ++steps_taken_;
  if (config_.clip_norm > 0) options.grad_scale = std::min(1.0, config_.clip_norm / (norm + kClipEps));

  const at::Tensor &grads = store_.flat_main_grads(), &values = store_.flat_values();
  const auto whole = [&](const at::Tensor& flat, FlatRange range) {
    return flat.narrow(0, range.begin, range.end - range.begin);
  };
  const auto update = [&](FlatRange wanted, double weight_decay) {
    const FlatRange range = intersection(wanted, held_);
    if (range.begin == range.end) return;
    options.weight_decay = weight_decay;
    const at::Tensor model = whole(values, range), master = part(master_, range);
    ops::adamw_step(master, part(moment1_, range), part(moment2_, range), whole(grads, range),
                    model.data_ptr() == master.data_ptr() ? at::Tensor() : model, options, /*zero_grad=*/true);
  };
  update({0, store_.decayed_elements()}, config_.weight_decay);
  update({store_.decayed_elements(), values.numel()}, 0);
  if (ranks_.sharded && ranks_.data != nullptr) {
    for (const FlatRange other : {FlatRange{0, held_.begin}, FlatRange{held_.end, grads.numel()}}) whole(grads, other).zero_();
    ranks_.data->all_gather(ops::buffer_of(whole(values, held_)), ops::buffer_of(values)).wait();
  }
  return norm;
}

}  // namespace longhaul
