#include "data/gpt_index.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "data/divide_up.h"
#include "data/huge_pages.h"
#include "data/sample_index.h"
#include "longhaul/core/error.h"
#include "longhaul/data/indexed_dataset.h"
#include "longhaul/data/numpy_random.h"

namespace longhaul {
namespace {

constexpr int64_t kInt32Max = std::numeric_limits<int32_t>::max();
constexpr int64_t kExtraToken = 1;  // the label of a sample's last token

// Of a stable order: one generator for an epoch's documents, and the next for its samples.
uint32_t epoch_seed(const GptOrder& order, size_t epoch) {
  return order.seed + static_cast<uint32_t>(2 * epoch);
}

std::vector<int32_t> build_document_index(const GptOrder& order, const EpochPlan& plan, RandomState& random) {
  const auto count = static_cast<size_t>(order.sequences.count());
  auto index = vector_in_huge_pages<int32_t>(count * static_cast<size_t>(plan.epochs));
  for (size_t epoch = 0; epoch < static_cast<size_t>(plan.epochs); ++epoch) {
    const auto begin = index.begin() + static_cast<std::ptrdiff_t>(epoch * count);
    std::iota(begin, begin + static_cast<std::ptrdiff_t>(count), static_cast<int32_t>(order.sequences.begin));
  }
  const std::span<int32_t> all(index);
  if (order.stable) {
    for (size_t epoch = 0; epoch < static_cast<size_t>(plan.epochs); ++epoch) {
      RandomState(epoch_seed(order, epoch)).shuffle(all.subspan(epoch * count, count));
    }
    return index;
  }
  const size_t together = plan.separate_last ? index.size() - count : index.size();
  random.shuffle(all.first(together));
  random.shuffle(all.subspan(together));
  return index;
}

template <typename T>
void append_sample_index(const IndexedDatasetReader& reader, std::span<const int32_t> documents, const GptOrder& order,
                         const EpochPlan& plan, IndexArrayWriter& writer) {
  for_each_sample_row<T>(reader, documents, order, plan, [&](std::span<const T> rows) { writer.append(rows); });
}

template <typename T>
std::vector<T> build_shuffle_index(const GptOrder& order, const EpochPlan& plan, RandomState& random) {
  auto index = vector_in_huge_pages<T>(static_cast<size_t>(plan.samples));
  std::iota(index.begin(), index.end(), T{0});
  const std::span<T> all(index);
  if (order.stable) {
    // A sample is of the epoch that holds its first token.
    size_t begin = 0;
    for (int64_t epoch = 0; epoch < plan.epochs; ++epoch) {
      const bool last = epoch + 1 == plan.epochs;
      const auto end = static_cast<size_t>(
          last ? plan.samples : ((epoch + 1) * plan.tokens_per_epoch - kExtraToken) / order.sequence_length);
      RandomState(epoch_seed(order, static_cast<size_t>(epoch)) + 1).shuffle(all.subspan(begin, end - begin));
      begin = end;
    }
    return index;
  }
  const auto together = static_cast<size_t>(plan.samples_before_last);
  random.shuffle(all.first(together));
  random.shuffle(all.subspan(together));
  return index;
}

}  // namespace

EpochPlan plan_epochs(const IndexedDatasetReader& reader, const GptOrder& order, const std::string& what) {
  EpochPlan plan;
  for (int64_t i = order.sequences.begin; i < order.sequences.end; ++i) plan.tokens_per_epoch += reader.length(i);
  if (plan.tokens_per_epoch == 0) {
    throw UserError(
        "{} has no tokens: {} of its {} documents fall in it; give it a larger share (data.split, eval's --shares), "
        "other data of its own (data.valid), or more data",
        what, order.sequences.count(), reader.sequences());
  }
  const int64_t S = order.sequence_length;
  if (order.samples) {
    if (*order.samples > (std::numeric_limits<int64_t>::max() - plan.tokens_per_epoch - 1) / S) {
      throw UserError("{}: {} samples of {} tokens are more than 2^63 tokens", what, *order.samples, S);
    }
    plan.epochs = std::max<int64_t>(1, divide_up(*order.samples * S + kExtraToken, plan.tokens_per_epoch));
  }
  const int64_t usable = plan.epochs * plan.tokens_per_epoch - kExtraToken;
  plan.samples = order.drop_last ? usable / S : divide_up(usable, S);
  plan.samples_before_last = plan.samples;
  if (plan.epochs > 1) {
    const int64_t before = ((plan.epochs - 1) * plan.tokens_per_epoch - kExtraToken) / S;
    const int64_t wanted = *order.samples - before;
    const int64_t per_epoch = (plan.tokens_per_epoch - kExtraToken) / S;
    LONGHAUL_CHECK(wanted >= 0 && wanted <= per_epoch + 1, "{} samples wanted of an epoch of {}", wanted, per_epoch);
    plan.separate_last = !order.stable && wanted < static_cast<int64_t>(0.80 * static_cast<double>(per_epoch));
    if (plan.separate_last) plan.samples_before_last = before;
  }
  if (plan.samples == 0) {
    throw UserError(
        "{} has {} tokens, too few for one sample of {} + 1; use a shorter data.sequence_length or more "
        "data",
        what, plan.tokens_per_epoch, S);
  }
  if (reader.sequences() > kInt32Max) {
    throw UserError(
        "{}: {} has {} documents, but the index of a GPT dataset counts at most 2^31 - 1; split the "
        "dataset",
        what, reader.prefix(), reader.sequences());
  }
  return plan;
}

IndexArray::Type sample_index_type(const GptOrder& order, const EpochPlan& plan) {
  // Megatron also looks at the longest sequence, which the file format keeps below 2^31.
  const bool narrow = plan.epochs <= kInt32Max / std::max<int64_t>(1, order.sequences.count());
  return narrow ? IndexArray::Type::int32 : IndexArray::Type::int64;
}

IndexArray::Type shuffle_index_type(const EpochPlan& plan) {
  const int64_t limit = std::numeric_limits<uint32_t>::max() - int64_t{1};
  return plan.samples < limit ? IndexArray::Type::uint32 : IndexArray::Type::int64;
}

int64_t gpt_index_memory(const GptOrder& order, const EpochPlan& plan) {
  const int64_t documents = (4 * plan.epochs + 2) * order.sequences.count();
  return std::max(documents, index_array_bytes(shuffle_index_type(plan)) * plan.samples);
}

void build_gpt_index(const IndexedDatasetReader& reader, const GptOrder& order, const EpochPlan& plan,
                     GptIndexWriters arrays) {
  // One generator for everything, in this order; the sample index draws nothing.
  RandomState random(order.seed);
  {
    const std::vector<int32_t> documents = build_document_index(order, plan, random);
    arrays.documents.append(std::span(documents));
    sample_index_type(order, plan) == IndexArray::Type::int32
        ? append_sample_index<int32_t>(reader, documents, order, plan, arrays.samples)
        : append_sample_index<int64_t>(reader, documents, order, plan, arrays.samples);
  }
  if (shuffle_index_type(plan) == IndexArray::Type::uint32) {
    const std::vector<uint32_t> shuffle = build_shuffle_index<uint32_t>(order, plan, random);
    arrays.shuffle.append(std::span(shuffle));
  } else {
    const std::vector<int64_t> shuffle = build_shuffle_index<int64_t>(order, plan, random);
    arrays.shuffle.append(std::span(shuffle));
  }
}

}  // namespace longhaul
