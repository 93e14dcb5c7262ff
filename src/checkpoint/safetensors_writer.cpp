#include "longhaul/checkpoint/safetensors_writer.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>
#include <unordered_map>

#include "checkpoint/safetensors_header.h"
#include "longhaul/checkpoint/safetensors_dtype.h"
#include "longhaul/core/error.h"
#include "longhaul/core/json_text.h"
#include "ops/host_pieces.h"

namespace longhaul {
namespace {

constexpr int64_t kPieceBytes = int64_t{64} << 20;  // of a GPU's tensors

std::string make_header(const std::vector<TensorDeclaration>& tensors,
                        const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header;
  header["__metadata__"] = metadata;
  uint64_t begin = 0;
  for (const auto& tensor : tensors) {
    const uint64_t end = begin + tensor.bytes();
    LONGHAUL_CHECK(!header.contains(tensor.name), "tensor {} is declared twice", tensor.name);
    header[tensor.name] = {
        {"dtype", safetensors_name(tensor.dtype)}, {"shape", tensor.shape}, {"data_offsets", {begin, end}}};
    begin = end;
  }
  std::string text = json_text(header);
  text.append((8 - text.size() % 8) % 8, ' ');
  LONGHAUL_CHECK(text.size() <= kMaxSafetensorsHeader, "too many tensors for one safetensors file");
  const uint64_t size = text.size();
  return std::string(reinterpret_cast<const char*>(&size), 8) + text;
}

std::vector<TensorDeclaration> sorted(std::vector<TensorDeclaration> tensors) {
  std::sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) {
    const auto size_a = c10::elementSize(a.dtype), size_b = c10::elementSize(b.dtype);
    return std::tie(size_b, a.name) < std::tie(size_a, b.name);
  });
  return tensors;
}

}  // namespace

uint64_t TensorDeclaration::bytes() const {
  uint64_t bytes = c10::elementSize(dtype);
  for (const int64_t size : shape) bytes *= static_cast<uint64_t>(size);
  return bytes;
}

SafetensorsWriter::SafetensorsWriter(const std::filesystem::path& path, std::vector<TensorDeclaration> tensors,
                                     std::map<std::string, std::string> metadata)
    : order_(sorted(std::move(tensors))), file_(path) {
  metadata.emplace("format", "pt");
  header_ = make_header(order_, metadata);
  file_.write(std::string_view(header_));
}

SafetensorsWriter::~SafetensorsWriter() = default;

void SafetensorsWriter::write(const at::Tensor& tensor, Xxh3* checksum) {
  LONGHAUL_CHECK(next_ < order_.size(), "more tensors than were declared");
  const TensorDeclaration& declared = order_[next_++];
  LONGHAUL_CHECK(tensor.scalar_type() == declared.dtype && tensor.sizes() == at::IntArrayRef(declared.shape),
                 "tensor {} is not what was declared", declared.name);
  const auto write_bytes = [&](std::span<const std::byte> bytes) {
    if (checksum != nullptr) checksum->add(bytes);
    file_.write(bytes);
  };
  if (tensor.device().is_cpu()) return write_bytes(tensor_bytes(tensor.detach().contiguous()));
  if (!pieces_) {
    size_t largest = 1;
    for (const TensorDeclaration& declaration : order_) largest = std::max(largest, declaration.bytes());
    pieces_ = std::make_unique<const ops::HostPieces>(tensor.device(),
                                                      std::min<int64_t>(kPieceBytes, static_cast<int64_t>(largest)));
  }
  pieces_->read(tensor, write_bytes);
}

void SafetensorsWriter::finish() {
  LONGHAUL_CHECK(next_ == order_.size(), "{} of {} tensors were written", next_, order_.size());
  file_.commit();
}

void write_safetensors(const std::filesystem::path& path, std::span<const std::pair<std::string, at::Tensor>> tensors,
                       std::map<std::string, std::string> metadata) {
  std::vector<TensorDeclaration> declarations;
  std::unordered_map<std::string, at::Tensor> by_name;
  for (const auto& [name, tensor] : tensors) {
    declarations.push_back({name, tensor.scalar_type(), tensor.sizes().vec()});
    by_name.emplace(name, tensor);
  }
  SafetensorsWriter writer(path, std::move(declarations), std::move(metadata));
  for (const auto& declaration : writer.order()) writer.write(by_name.at(declaration.name));
  writer.finish();
}

std::span<const std::byte> tensor_bytes(const at::Tensor& tensor) {
  LONGHAUL_CHECK(tensor.device().is_cpu() && tensor.is_contiguous());
  return {static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()};
}

}  // namespace longhaul
