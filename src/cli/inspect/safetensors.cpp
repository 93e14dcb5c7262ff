// A safetensors file: its metadata and tensors.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/inspect/inspect.h"
#include "longhaul/checkpoint/safetensors_dtype.h"
#include "longhaul/checkpoint/safetensors_reader.h"
#include "longhaul/core/progress.h"
#include "longhaul/core/table.h"

namespace longhaul::cli {

std::string shape_text(const std::vector<int64_t>& shape) {
  return shape.empty() ? "scalar" : fmt::format("{}", fmt::join(shape, " x "));
}

void inspect_safetensors(const std::filesystem::path& file) {
  const SafetensorsReader reader(file);
  TextTable table({"tensor", "dtype", "shape", "bytes"});
  table.align(3, TextTable::Align::right);
  uint64_t bytes = 0;
  int64_t elements = 0;
  for (const auto& entry : reader.entries()) {
    bytes += entry.bytes.size();
    elements += static_cast<int64_t>(entry.bytes.size() / c10::elementSize(entry.dtype));
    table.add({entry.name, std::string(safetensors_name(entry.dtype)), shape_text(entry.shape),
               group_digits(static_cast<int64_t>(entry.bytes.size()))});
  }
  fmt::print("safetensors file {}\n", file.string());
  for (const auto& [key, value] : reader.metadata()) fmt::print("metadata  {}: {}\n", key, value);
  fmt::print("\n{}\n{} tensors, {} elements, {}\n", table.str(), group_digits(reader.entries().size()),
             group_digits(elements), format_bytes(static_cast<double>(bytes)));
}

}  // namespace longhaul::cli
