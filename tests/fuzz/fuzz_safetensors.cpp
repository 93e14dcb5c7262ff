// A safetensors file: its header says where each tensor's bytes are, and they must tile the file.
#include <cstring>
#include <memory>

#include "checkpoint/safetensors_header.h"
#include "fuzz_target.h"
#include "longhaul/core/error.h"
#include "scratch_folder.h"

namespace longhaul::fuzz {
namespace {

std::string file_of(const std::string& header, size_t data) {
  std::string out(8, '\0');
  const uint64_t size = header.size();
  std::memcpy(out.data(), &size, 8);
  return out + header + std::string(data, '\x3f');
}

void read(const std::filesystem::path& path) {
  const MappedFile file(path);
  const SafetensorsHeader header = read_safetensors_header(file);
  uint64_t at = header.data_begin;
  for (const auto& tensor : header.tensors) {
    LONGHAUL_CHECK(header.data_begin + tensor.begin == at && tensor.end >= tensor.begin, "{} does not follow",
                   tensor.name);
    at = header.data_begin + tensor.end;
  }
  LONGHAUL_CHECK(at == file.size(), "the tensors end at byte {} of {}", at, file.size());
}

}  // namespace

FuzzTarget fuzz_target() {
  auto folder = std::make_shared<ScratchFolder>();
  FuzzTarget target;
  target.seeds = {
      file_of("{}", 0),
      file_of(
          R"({"__metadata__":{"format":"pt"},"a.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
          R"("b":{"dtype":"BF16","shape":[4],"data_offsets":[24,32]},"c":{"dtype":"I64","shape":[],"data_offsets":[32,40]}}   )",
          40),
      file_of(
          R"({"empty":{"dtype":"F16","shape":[0,7],"data_offsets":[0,0]},"u":{"dtype":"U8","shape":[5],"data_offsets":[0,5]}})",
          5),
  };
  target.offsets = {0, 1, 2, 4, 7, 8};
  target.words = {"dtype",  "shape",    "data_offsets", "__metadata__", "\"F64\"", "\"U8\"",
                  "\"F4\"", "\"BOOL\"", "[0,0]",        "[24,0]",       "[8,16]"};
  target.read = [folder](std::string_view input) {
    read(folder->write("a.safetensors", input));
    // The same with the right length in front, so that changes of the header reach its parser.
    if (input.size() < 8) return;
    const std::string_view rest = input.substr(8);
    const size_t end = rest.rfind('}') == std::string_view::npos ? rest.size() : rest.rfind('}') + 1;
    read(folder->write("b.safetensors", file_of(std::string(rest.substr(0, end)), 0) + std::string(rest.substr(end))));
  };
  return target;
}

}  // namespace longhaul::fuzz
