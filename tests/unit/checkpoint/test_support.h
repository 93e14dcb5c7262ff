// What the checkpoint tests share.
#pragma once

#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "longhaul/core/error.h"
#include "longhaul/core/file.h"
#include "unit/temp_folder.h"

namespace longhaul::testing {

using TemporaryFolder = FolderTest;

inline void write_bytes(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

inline void flip_byte(const std::filesystem::path& path, size_t position) {
  std::string bytes = read_text(path);
  bytes.at(position) = static_cast<char>(bytes[position] ^ 0x10);
  write_bytes(path, bytes);
}

// Same type, shape and bytes.
inline bool identical(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor x = a.contiguous(), y = b.contiguous();
  return x.scalar_type() == y.scalar_type() && x.sizes() == y.sizes() &&
         std::string_view(static_cast<const char*>(x.const_data_ptr()), x.nbytes()) ==
             std::string_view(static_cast<const char*>(y.const_data_ptr()), y.nbytes());
}

// A tensor whose bytes are random, of any type; NaNs and all. `seed` makes it.
at::Tensor random_bytes(at::ScalarType dtype, const std::vector<int64_t>& shape, uint64_t seed);

// The message of the error of type E that `action` throws.
template <typename E = UserError, typename Action>
std::string message_of(Action&& action) {
  try {
    action();
  } catch (const E& error) {
    return error.what();
  } catch (const std::exception& error) {
    ADD_FAILURE() << "another error: " << error.what();
    return "";
  }
  ADD_FAILURE() << "no error";
  return "";
}

}  // namespace longhaul::testing
