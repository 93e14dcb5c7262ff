#include "ops/host_pieces.h"

#include <algorithm>
#include <utility>

namespace longhaul::ops {

HostPieces::HostPieces(c10::Device device, int64_t piece_bytes)
    : piece_bytes_(piece_bytes),
      copies_(device),
      buffers_{copies_.lasting_host_tensor({piece_bytes}, at::kByte),
               copies_.lasting_host_tensor({piece_bytes}, at::kByte)} {}

void HostPieces::read(const at::Tensor& tensor, const std::function<void(std::span<const std::byte>)>& use) const {
  const at::Tensor bytes = tensor.detach().contiguous().flatten().view(at::kByte);
  const int64_t pieces = (bytes.numel() + piece_bytes_ - 1) / piece_bytes_;
  // Of the buffer that the piece is in, or comes to.
  const auto part = [&](int64_t piece) {
    return buffers_[piece % 2].narrow(0, 0, std::min(piece_bytes_, bytes.numel() - piece * piece_bytes_));
  };
  const auto start = [&](int64_t piece) {
    const at::Tensor to = part(piece);
    return copies_.to_host(bytes.narrow(0, piece * piece_bytes_, to.numel()), to);
  };
  HostCopies::Ticket next;
  if (pieces > 0) next = start(0);
  for (int64_t piece = 0; piece < pieces; ++piece) {
    HostCopies::Ticket here = std::exchange(next, {});
    if (piece + 1 < pieces) next = start(piece + 1);
    here.wait();
    const at::Tensor arrived = part(piece);
    use({static_cast<const std::byte*>(arrived.const_data_ptr()), arrived.nbytes()});
  }
}

}  // namespace longhaul::ops
