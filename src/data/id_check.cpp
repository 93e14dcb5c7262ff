#include "longhaul/data/id_check.h"

#include <algorithm>
#include <vector>

#include "longhaul/core/error.h"

namespace longhaul {
namespace {

constexpr int64_t kAtOnce = int64_t{1} << 16;  // ids

[[noreturn]] void refuse(const IndexedDatasetReader& data, int64_t sequence, int64_t token, int64_t id,
                         int64_t vocab_size) {
  throw UserError(
      "{}.bin: token {} of sequence {} (byte {}) is {}, but the vocabulary has {} ids: the data is damaged, or was "
      "prepared with another tokenizer",
      data.prefix(), token, sequence, data.offset(sequence) + token * token_bytes(data.token_type()), id, vocab_size);
}

}  // namespace

IdRange check_ids(const IndexedDatasetReader& data, std::optional<int64_t> vocab_size,
                  const std::function<void(int64_t)>& progress) {
  std::optional<IdRange> range;
  std::vector<int64_t> ids;
  int64_t read = 0, told = 0;
  for (int64_t i = 0; i < data.sequences(); ++i) {
    for (int64_t begin = 0; begin < data.length(i); begin += static_cast<int64_t>(ids.size())) {
      ids.resize(static_cast<size_t>(std::min(data.length(i) - begin, kAtOnce)));
      data.read(i, begin, ids);
      const auto [low, high] = std::minmax_element(ids.begin(), ids.end());
      if (vocab_size && *high >= *vocab_size) refuse(data, i, begin + (high - ids.begin()), *high, *vocab_size);
      range = range ? IdRange{std::min(range->smallest, *low), std::max(range->largest, *high)} : IdRange{*low, *high};
      read += static_cast<int64_t>(ids.size());
      if (progress && read - told >= kAtOnce * 16) progress(told = read);
    }
  }
  return range.value_or(IdRange{});
}

}  // namespace longhaul
