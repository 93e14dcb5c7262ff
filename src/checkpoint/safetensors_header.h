// The JSON header of a safetensors file, parsed and checked.
#pragma once

#include <c10/core/ScalarType.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace longhaul {

inline constexpr uint64_t kMaxSafetensorsHeader = 100'000'000;  // the format's own limit, in bytes

struct SafetensorsHeader {
  struct Tensor {
    std::string name;
    at::ScalarType dtype;
    std::vector<int64_t> shape;
    uint64_t begin, end;  // bytes from the start of the data
  };
  std::vector<Tensor> tensors;  // by `begin`; they tile [0, data_size)
  std::map<std::string, std::string> metadata;
};

// `file` is for messages, `data_size` is how many bytes follow the header. UserError when a rule is broken.
SafetensorsHeader parse_safetensors_header(const std::filesystem::path& file, std::string_view json,
                                           uint64_t data_size);

}  // namespace longhaul
