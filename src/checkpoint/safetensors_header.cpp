#include "checkpoint/safetensors_header.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "longhaul/checkpoint/safetensors_dtype.h"
#include "longhaul/core/error.h"
#include "longhaul/core/json_text.h"

namespace longhaul {
namespace {

using nlohmann::json;

// Parses, and refuses a key that stands twice in one object, which the JSON library would quietly merge.
json parse_unique(const std::filesystem::path& file, std::string_view text) {
  refuse_deep_json(text, file.string());
  std::vector<std::set<std::string>> open;
  const auto watch = [&](int, json::parse_event_t event, json& value) {
    if (event == json::parse_event_t::object_start) open.emplace_back();
    if (event == json::parse_event_t::object_end) open.pop_back();
    if (event == json::parse_event_t::key && !open.back().insert(value.get<std::string>()).second) {
      throw UserError("{}: the safetensors header names '{}' twice; the file is damaged, fetch or write it again",
                      file.string(), value.get<std::string>());
    }
    return true;
  };
  try {
    return json::parse(text, watch);
  } catch (const json::exception& error) {
    throw UserError("{}: the safetensors header is not valid JSON ({}); the file is damaged, fetch or write it again",
                    file.string(), error.what());
  }
}

class TensorParser {
 public:
  TensorParser(const std::filesystem::path& file, const std::string& name) : file_(file), name_(name) {}

  SafetensorsHeader::Tensor parse(const json& value) const {
    if (!value.is_object()) fail("its entry in the header is not an object");
    for (const auto& [key, _] : value.items()) {
      if (key != "dtype" && key != "shape" && key != "data_offsets") {
        fail(fmt::format("its entry in the header has an unknown field '{}'", key));
      }
    }
    SafetensorsHeader::Tensor tensor{.name = name_, .dtype = dtype(value), .shape = {}, .begin = 0, .end = 0};
    for (const json& size : array(value, "shape")) {
      tensor.shape.push_back(static_cast<int64_t>(non_negative(size, "shape")));
      if (tensor.shape.back() < 0) fail("its shape is too large");
    }
    const json& offsets = array(value, "data_offsets");
    if (offsets.size() != 2) fail("its data_offsets are not a pair");
    tensor.begin = non_negative(offsets[0], "data_offsets");
    tensor.end = non_negative(offsets[1], "data_offsets");
    if (tensor.begin > tensor.end)
      fail(fmt::format("its data_offsets [{}, {}) run backwards", tensor.begin, tensor.end));
    const uint64_t bytes = size_in_bytes(tensor);
    if (tensor.end - tensor.begin != bytes) {
      fail(fmt::format("its data_offsets hold {} bytes, but {} [{}] takes {}", tensor.end - tensor.begin,
                       safetensors_name(tensor.dtype), fmt::join(tensor.shape, ", "), bytes));
    }
    return tensor;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw UserError("{}: tensor '{}': {}; the file is damaged or of a kind that Longhaul does not read", file_.string(),
                    name_, what);
  }

  at::ScalarType dtype(const json& value) const {
    const auto found = value.find("dtype");
    if (found == value.end() || !found->is_string()) fail("it has no dtype");
    const auto dtype = safetensors_dtype(found->get_ref<const std::string&>());
    if (!dtype) fail(fmt::format("unsupported dtype {}", found->get_ref<const std::string&>()));
    return *dtype;
  }

  const json& array(const json& value, const char* key) const {
    const auto found = value.find(key);
    if (found == value.end() || !found->is_array()) fail(fmt::format("it has no {}", key));
    return *found;
  }

  uint64_t non_negative(const json& value, const char* what) const {
    if (!value.is_number_unsigned())
      fail(fmt::format("its {} holds {}, not a whole number from 0 up", what, json_text(value)));
    return value.get<uint64_t>();
  }

  uint64_t size_in_bytes(const SafetensorsHeader::Tensor& tensor) const {
    uint64_t bytes = c10::elementSize(tensor.dtype);
    for (const int64_t size : tensor.shape) {
      if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(size), &bytes)) fail("its shape is too large");
    }
    return bytes;
  }

  const std::filesystem::path& file_;
  const std::string& name_;
};

void check_tiling(const std::filesystem::path& file, const SafetensorsHeader& header, uint64_t data_size) {
  uint64_t expected = 0;
  for (const auto& tensor : header.tensors) {
    if (tensor.begin != expected) {
      throw UserError(
          "{}: tensor '{}': its bytes start at {}, but the tensor before it ends at {} ({}); the file is "
          "damaged",
          file.string(), tensor.name, tensor.begin, expected, tensor.begin < expected ? "they overlap" : "a hole");
    }
    expected = tensor.end;
  }
  if (expected == data_size) return;
  if (expected > data_size) {
    const auto cut = std::find_if(header.tensors.begin(), header.tensors.end(),
                                  [&](const auto& tensor) { return tensor.end > data_size; });
    throw UserError(
        "{}: tensor '{}': the file ends inside it or before it ({} bytes are missing); the file is "
        "truncated, fetch or "
        "write it again",
        file.string(), cut->name, expected - data_size);
  }
  throw UserError("{}: {} bytes follow the last tensor; the file is damaged, fetch or write it again", file.string(),
                  data_size - expected);
}

// `data_size`: bytes that follow the header.
SafetensorsHeader parse(const std::filesystem::path& file, std::string_view text, uint64_t data_size) {
  if (text.empty() || text.front() != '{') {
    throw UserError("{}: not a safetensors file (its header does not begin with '{{')", file.string());
  }
  const json parsed = parse_unique(file, text);
  if (!parsed.is_object()) throw UserError("{}: not a safetensors file (its header is not an object)", file.string());

  SafetensorsHeader header;
  for (const auto& [name, value] : parsed.items()) {
    if (name != "__metadata__") {
      header.tensors.push_back(TensorParser(file, name).parse(value));
      continue;
    }
    if (!value.is_object())
      throw UserError("{}: __metadata__ of the safetensors header is not an object", file.string());
    for (const auto& [key, note] : value.items()) {
      if (!note.is_string()) {
        throw UserError("{}: '{}' in __metadata__ of the safetensors header is not a string", file.string(), key);
      }
      header.metadata.emplace(key, note.get<std::string>());
    }
  }
  std::sort(header.tensors.begin(), header.tensors.end(),
            [](const auto& a, const auto& b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });
  check_tiling(file, header, data_size);
  return header;
}

}  // namespace

SafetensorsHeader read_safetensors_header(const MappedFile& file) {
  if (file.size() < 8) {
    throw UserError("{}: not a safetensors file: {} bytes long, but the length of its header alone takes 8",
                    file.path().string(), file.size());
  }
  constexpr std::string_view kLfsPointer = "version https://git-lfs";
  if (file.size() >= kLfsPointer.size() &&
      std::memcmp(file.bytes().data(), kLfsPointer.data(), kLfsPointer.size()) == 0) {
    throw UserError(
        "{}: only Git LFS's pointer to the weights, not the weights: run `git lfs pull` in that folder, or download "
        "the model again",
        file.path().string());
  }
  uint64_t header_size = 0;
  std::memcpy(&header_size, file.bytes().data(), 8);
  if (header_size > kMaxSafetensorsHeader) {
    throw UserError("{}: not a safetensors file: its header would be {} bytes long, more than the format allows",
                    file.path().string(), header_size);
  }
  if (8 + header_size > file.size()) {
    throw UserError(
        "{}: truncated: its header should be {} bytes long, but the file ends after {}; fetch or write it "
        "again",
        file.path().string(), header_size, file.size() - 8);
  }
  const uint64_t begin = 8 + header_size;
  SafetensorsHeader header = parse(file.path(), file.text().substr(8, header_size), file.size() - begin);
  header.data_begin = begin;
  return header;
}

}  // namespace longhaul
