#include "data/prepare/duplicate_counter.h"

#include <cstring>
#include <utility>

#include "longhaul/core/hash.h"

namespace longhaul {
namespace {

constexpr size_t kFirstSlots = 1024;  // a power of two, as every number of slots

}  // namespace

DuplicateCounter::DuplicateCounter(size_t most_hashes) : most_(most_hashes), slots_(kFirstSlots) {}

void DuplicateCounter::add(uint64_t hash) {
  if (kept(hash)) insert({hash, 1});
}

void DuplicateCounter::insert(Slot slot) {
  size_t at = slot.hash & (slots_.size() - 1);
  while (slots_[at].count > 0 && slots_[at].hash != slot.hash) at = (at + 1) & (slots_.size() - 1);
  used_ += slots_[at].count == 0;
  slots_[at] = {slot.hash, slots_[at].count + slot.count};
  if (used_ > most_) {
    ++halvings_;
    rebuild(slots_.size());
  } else if (2 * used_ > slots_.size()) {
    rebuild(2 * slots_.size());
  }
}

void DuplicateCounter::rebuild(size_t slots) {
  const std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(slots));
  used_ = 0;
  for (const Slot& slot : old) {
    if (slot.count > 0 && kept(slot.hash)) insert(slot);
  }
}

int64_t DuplicateCounter::duplicates() const {
  uint64_t copies = 0;
  for (const Slot& slot : slots_) copies += slot.count > 0 ? slot.count - 1 : 0;
  return static_cast<int64_t>(copies << halvings_);
}

std::string DuplicateCounter::save() const {
  std::string bytes;
  const auto put = [&](uint64_t value) { bytes.append(reinterpret_cast<const char*>(&value), sizeof(value)); };
  put(static_cast<uint64_t>(halvings_));
  for (const Slot& slot : slots_) {
    if (slot.count == 0) continue;
    put(slot.hash);
    put(slot.count);
  }
  put(xxh3(bytes));
  return bytes;
}

bool DuplicateCounter::restore(std::string_view bytes) {
  if (bytes.size() < 16 || bytes.size() % 16 != 0) return false;
  const auto get = [&](size_t at) {
    uint64_t value = 0;
    std::memcpy(&value, bytes.data() + at, sizeof(value));
    return value;
  };
  const size_t end = bytes.size() - 8;
  if (get(end) != xxh3(bytes.substr(0, end)) || get(0) > 63) return false;
  *this = DuplicateCounter(most_);
  halvings_ = static_cast<int>(get(0));
  for (size_t at = 8; at < end; at += 16) insert({get(at), get(at + 8)});
  return true;
}

}  // namespace longhaul
