#include "data/tokenizer/double_array.h"

#include <algorithm>

namespace longhaul::tokenizer {

// Places the children of one state at a time, depth first over the sorted keys.
class DoubleArrayBuilder {
 public:
  using Entries = std::vector<std::pair<std::string_view, int32_t>>;

  DoubleArrayBuilder(const Entries& entries, std::vector<DoubleArray::Unit>& units) : entries_(entries), units_(units) {
    grow();
    units_[DoubleArray::kRoot].parent = DoubleArray::kNoParent;
  }

  void run() {
    pending_.push_back({DoubleArray::kRoot, 0, entries_.size(), 0});
    while (!pending_.empty()) {
      const Task task = pending_.back();
      pending_.pop_back();
      place(task);
    }
  }

 private:
  // The keys [begin, end) lead through `state`, with their first `depth` bytes.
  struct Task {
    uint32_t state;
    size_t begin;
    size_t end;
    size_t depth;
  };

  void place(Task task) {
    while (task.begin < task.end && entries_[task.begin].first.size() == task.depth) {
      units_[task.state].value = entries_[task.begin++].second;
    }
    if (task.begin == task.end) return;
    bytes_.clear();
    starts_.clear();
    for (size_t i = task.begin; i < task.end; ++i) {
      const auto byte = static_cast<unsigned char>(entries_[i].first[task.depth]);
      if (bytes_.empty() || bytes_.back() != byte) {
        bytes_.push_back(byte);
        starts_.push_back(i);
      }
    }
    starts_.push_back(task.end);
    const uint32_t base = find_base();
    units_[task.state].base = base;
    for (size_t i = 0; i < bytes_.size(); ++i) {
      const uint32_t child = base ^ bytes_[i];
      units_[child].parent = task.state;
      pending_.push_back({child, starts_[i], starts_[i + 1], task.depth + 1});
    }
  }

  // A base with which all of `bytes_` lead to free places, looked for in the last blocks only: those before
  // are nearly full, and searching them again and again would take quadratic time.
  uint32_t find_base() {
    constexpr size_t kOpenBlocks = 8;
    for (;;) {
      const size_t blocks = units_.size() / kBlock;
      for (size_t block = blocks > kOpenBlocks ? blocks - kOpenBlocks : 0; block < blocks; ++block) {
        if (free_[block] < bytes_.size()) continue;
        const auto first = static_cast<uint32_t>(block * kBlock);
        while (!is_free(first + first_free_[block])) ++first_free_[block];
        for (uint32_t at = first_free_[block]; at < kBlock; ++at) {
          if (!is_free(first + at)) continue;
          const uint32_t base = (first + at) ^ bytes_[0];
          if (std::all_of(bytes_.begin() + 1, bytes_.end(), [&](auto byte) { return is_free(base ^ byte); })) {
            free_[block] -= bytes_.size();
            return base;
          }
        }
      }
      grow();
    }
  }
  bool is_free(uint32_t at) const { return units_[at].parent == DoubleArray::kFree; }
  void grow() {
    units_.resize(units_.size() + kBlock);
    free_.push_back(kBlock - (units_.size() == kBlock ? 1 : 0));  // the root is taken
    first_free_.push_back(0);
  }

  static constexpr size_t kBlock = 256;
  const Entries& entries_;
  std::vector<DoubleArray::Unit>& units_;
  std::vector<size_t> free_;          // of each block, how many places
  std::vector<uint32_t> first_free_;  // and where the first one is, at the earliest
  std::vector<Task> pending_;
  std::vector<unsigned char> bytes_;
  std::vector<size_t> starts_;
};

DoubleArray::DoubleArray(std::vector<std::pair<std::string_view, int32_t>> entries) {
  std::stable_sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::erase_if(entries, [](const auto& entry) { return entry.first.empty(); });
  DoubleArrayBuilder(entries, units_).run();
}

}  // namespace longhaul::tokenizer
