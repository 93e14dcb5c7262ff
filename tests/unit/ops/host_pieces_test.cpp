// With the CPU as the device: the way of the bytes is a GPU's.
#include "ops/host_pieces.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <gtest/gtest.h>

#include <cstring>
#include <stdexcept>
#include <vector>

#include "longhaul/ops/device.h"

namespace longhaul::ops {
namespace {

struct Seen {
  std::vector<std::byte> bytes;
  std::vector<size_t> pieces;
};

Seen read(const HostPieces& pieces, const at::Tensor& tensor) {
  Seen seen;
  pieces.read(tensor, [&](std::span<const std::byte> piece) {
    seen.pieces.push_back(piece.size());
    seen.bytes.insert(seen.bytes.end(), piece.begin(), piece.end());
  });
  return seen;
}

// Those of a tensor on the CPU.
std::vector<std::byte> bytes_of(const at::Tensor& tensor) {
  const at::Tensor whole = tensor.contiguous();
  std::vector<std::byte> bytes(whole.nbytes());
  if (!bytes.empty()) std::memcpy(bytes.data(), whole.const_data_ptr(), bytes.size());
  return bytes;
}

TEST(HostPieces, AreTheBytesInOrder) {
  const HostPieces pieces(c10::Device(c10::DeviceType::CPU), 1000);
  const at::Tensor numbers = at::arange(1250, at::kFloat);
  const struct {
    at::Tensor tensor;
    std::vector<size_t> pieces;
  } cases[] = {{numbers, {1000, 1000, 1000, 1000, 1000}},
               {numbers.narrow(0, 3, 251), {1000, 4}},
               {numbers.narrow(0, 3, 250).view({2, 125}), {1000}},
               {numbers.view({25, 50}).t(), {1000, 1000, 1000, 1000, 1000}},
               {numbers.to(at::kBFloat16).narrow(0, 0, 501), {1000, 2}},
               {numbers[7], {4}},
               {at::empty({0, 3}), {}}};
  for (const auto& c : cases) {
    const Seen seen = read(pieces, c.tensor);
    EXPECT_EQ(seen.pieces, c.pieces);
    EXPECT_EQ(seen.bytes, bytes_of(c.tensor));
  }
}

TEST(HostPieces, GoOnAfterAnError) {
  const HostPieces pieces(c10::Device(c10::DeviceType::CPU), 1000);
  const at::Tensor numbers = at::arange(1250, at::kFloat);
  EXPECT_THROW(pieces.read(numbers, [](auto) { throw std::runtime_error("disk full"); }), std::runtime_error);
  EXPECT_EQ(read(pieces, numbers).bytes, bytes_of(numbers));
}

TEST(CudaHostPieces, AreTheBytesInOrder) {
  if (!cuda_problem().empty()) GTEST_SKIP() << cuda_problem();
  const HostPieces pieces(c10::Device(c10::DeviceType::CUDA, 0), int64_t{3} << 20);
  const at::Tensor numbers = at::arange(int64_t{5} << 20, at::kFloat).view({1 << 10, 5 << 10});
  for (const at::Tensor& tensor : {numbers, numbers.t()})
    EXPECT_EQ(read(pieces, tensor.to(at::kCUDA)).bytes, bytes_of(tensor));
}

}  // namespace
}  // namespace longhaul::ops
