#include "train/tensorboard.h"

#include <unistd.h>

#include <array>
#include <chrono>
#include <cstring>

#include "longhaul/core/error.h"
#include "longhaul/core/file.h"

namespace longhaul {
namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// CRC-32C (Castagnoli), rotated and offset as TFRecord files have it.
uint32_t masked_crc(const std::string& bytes) {
  static const auto table = [] {
    std::array<uint32_t, 256> entries{};
    for (uint32_t i = 0; i < 256; ++i) {
      uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0x82F63B78U : 0U);
      entries[i] = value;
    }
    return entries;
  }();
  uint32_t crc = 0xFFFFFFFFU;
  for (const char c : bytes) crc = table[(crc ^ static_cast<unsigned char>(c)) & 0xFFU] ^ (crc >> 8);
  crc = ~crc;
  return ((crc >> 15) | (crc << 17)) + 0xA282EAD8U;
}

template <typename T>
std::string raw(T value) {
  std::string bytes(sizeof(T), '\0');
  std::memcpy(bytes.data(), &value, sizeof(T));
  return bytes;
}

std::string varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes.push_back(static_cast<char>(value | 0x80));
  bytes.push_back(static_cast<char>(value));
  return bytes;
}

// Protocol-buffer fields by wire type.
std::string varint_field(int number, uint64_t value) {
  return varint(number << 3) + varint(value);
}
std::string double_field(int number, double value) {
  return varint(number << 3 | 1) + raw(value);
}
std::string float_field(int number, float value) {
  return varint(number << 3 | 5) + raw(value);
}
std::string bytes_field(int number, const std::string& value) {
  return varint(number << 3 | 2) + varint(value.size()) + value;
}

}  // namespace

TensorBoardWriter::TensorBoardWriter(const std::filesystem::path& folder) {
  make_folder(folder);
  char host[256] = "localhost";
  gethostname(host, sizeof(host) - 1);
  const auto path = folder / fmt::format("events.out.tfevents.{}.{}.{}", static_cast<int64_t>(now()), host, getpid());
  file_.open(path, std::ios::binary | std::ios::trunc);
  if (!file_) throw EnvironmentError("cannot write {}: check the permissions of the run folder", path.string());
  write_record(double_field(1, now()) + bytes_field(3, "brain.Event:2"));
}

void TensorBoardWriter::add_scalars(int64_t step, const std::vector<std::pair<std::string, double>>& scalars) {
  std::string summary;
  for (const auto& [tag, value] : scalars) {
    summary += bytes_field(1, bytes_field(1, tag) + float_field(2, static_cast<float>(value)));
  }
  write_record(double_field(1, now()) + varint_field(2, static_cast<uint64_t>(step)) + bytes_field(5, summary));
}

void TensorBoardWriter::write_record(const std::string& event) {
  const std::string length = raw(static_cast<uint64_t>(event.size()));
  file_ << length << raw(masked_crc(length)) << event << raw(masked_crc(event));
  file_.flush();
  if (!file_) throw EnvironmentError("cannot write TensorBoard's events: the disk is full, or the run folder is gone");
}

}  // namespace longhaul
