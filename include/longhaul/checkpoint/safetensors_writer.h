// Writes a safetensors file tensor by tensor: the header is made from the declared names, types and shapes,
// so that only one tensor at a time has to be in memory. The file appears under its name when `finish`
// returns.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "longhaul/core/file.h"
#include "longhaul/core/hash.h"

namespace longhaul {
namespace ops {
class HostPieces;
}

struct TensorDeclaration {
  std::string name;
  at::ScalarType dtype;
  std::vector<int64_t> shape;
  uint64_t bytes() const;
};

class SafetensorsWriter {
 public:
  // Sorts the tensors by element size, largest first, then by name: every tensor is then naturally aligned.
  // `format` is "pt" unless `metadata` says otherwise: some readers want it.
  SafetensorsWriter(const std::filesystem::path& path, std::vector<TensorDeclaration> tensors,
                    std::map<std::string, std::string> metadata = {});
  ~SafetensorsWriter();

  // The order in which `write` expects the tensors.
  const std::vector<TensorDeclaration>& order() const { return order_; }
  // The length and the JSON at the head of the file.
  const std::string& header() const { return header_; }

  // The next tensor of `order()`, on any device, of the declared type and shape. Its bytes are added to `checksum`,
  // too, if there is one. A GPU's come in pieces, the next while one is written.
  void write(const at::Tensor& tensor, Xxh3* checksum = nullptr);
  void finish();

 private:
  std::vector<TensorDeclaration> order_;
  std::string header_;
  size_t next_ = 0;
  AtomicFile file_;
  std::unique_ptr<const ops::HostPieces> pieces_;  // from the first tensor of a GPU on
};

// Tensors that are all at hand, in one call.
void write_safetensors(const std::filesystem::path& path, std::span<const std::pair<std::string, at::Tensor>> tensors,
                       std::map<std::string, std::string> metadata = {});

// The bytes of a contiguous tensor on the CPU.
std::span<const std::byte> tensor_bytes(const at::Tensor& tensor);

}  // namespace longhaul
