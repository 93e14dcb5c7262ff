// The header of a safetensors file, parsed and checked.
#pragma once

#include <c10/core/ScalarType.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "longhaul/core/file.h"

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
  uint64_t data_begin = 0;  // where the data starts in the file
};

// UserError that names the file when it breaks a rule of the format.
SafetensorsHeader read_safetensors_header(const MappedFile& file);

}  // namespace longhaul
