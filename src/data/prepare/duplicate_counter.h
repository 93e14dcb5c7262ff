// How many documents had been there before, in bounded memory.
//
// Each document is a 64-bit hash. The counter keeps every hash it has met with its count, up to 2^20 of them; then it
// keeps only those in half of the hash space, then in a quarter, and so on. A document and its copies share a hash, so
// what is kept is a fair sample of all different documents with all their copies.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace longhaul {

class DuplicateCounter {
 public:
  explicit DuplicateCounter(size_t most_hashes = size_t{1} << 20);

  void add(uint64_t hash);

  // An estimate unless share() is 1.
  int64_t duplicates() const;
  // Of the hash space that is kept.
  double share() const { return 1.0 / static_cast<double>(uint64_t{1} << halvings_); }

  // The counter as bytes, and back. `restore` returns false when the bytes are not what `save` makes.
  std::string save() const;
  bool restore(std::string_view bytes);

 private:
  struct Slot {
    uint64_t hash = 0;
    uint64_t count = 0;  // 0: empty
  };

  bool kept(uint64_t hash) const { return halvings_ == 0 || hash >> (64 - halvings_) == 0; }
  void insert(Slot slot);
  void rebuild(size_t slots);

  size_t most_;
  int halvings_ = 0;
  size_t used_ = 0;
  std::vector<Slot> slots_;
};

}  // namespace longhaul
