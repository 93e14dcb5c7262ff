#include "optim/host_units.h"

#include <ATen/ops/empty.h>

#include <algorithm>

namespace longhaul {
namespace {

c10::ScalarType gradient_type(const std::vector<UnitShare>& shares) {
  return shares.front().gradients.scalar_type();
}

}  // namespace

HostUnits::HostUnits(const std::vector<UnitShare>& shares, c10::Device device)
    : shares_(shares),
      copies_(device),
      rounds_(shares.front().values.scalar_type() != gradient_type(shares)),
      returning_(shares.size()) {
  int64_t longest = 0;
  for (const UnitShare& share : shares) longest = std::max(longest, share.range.count());
  for (Buffers& here : buffers_) {
    here.gradients = copies_.lasting_host_tensor({longest}, gradient_type(shares));
    if (rounds_) here.values = copies_.lasting_host_tensor({longest}, shares.front().values.scalar_type());
  }
}

at::Tensor HostUnits::master(size_t unit) const {
  if (rounds_) return moment(unit);  // its rounded copy travels
  return copies_.lasting_host_tensor({shares_[unit].range.count()}, gradient_type(shares_));
}

at::Tensor HostUnits::moment(size_t unit) const {
  return at::empty({shares_[unit].range.count()}, at::TensorOptions().dtype(gradient_type(shares_)));
}

at::Tensor HostUnits::values(size_t unit) {
  return rounds_ ? buffers(unit).values.narrow(0, 0, shares_[unit].range.count()) : at::Tensor();
}

void HostUnits::fetch(size_t unit) {
  const UnitShare& share = shares_[unit];
  Buffers& here = buffers(unit);
  here.arriving = copies_.to_host(share.gradients, here.gradients.narrow(0, 0, share.range.count()));
  here.arriving.make_stream_wait();
  at::Tensor(share.gradients).zero_();
}

HostUnits::Operands HostUnits::take(size_t unit) {
  if (unit == 0) fetch(0);
  if (unit + 1 < shares_.size()) fetch(unit + 1);
  Buffers& here = buffers(unit);
  here.arriving.wait();
  // What the buffer of values held last, and a master that is sent itself, may still be on their way.
  here.leaving.wait();
  returning_[unit].wait();
  return {here.gradients.narrow(0, 0, shares_[unit].range.count()), values(unit)};
}

void HostUnits::give_back(size_t unit, const at::Tensor& master) {
  returning_[unit] = copies_.to_device(rounds_ ? values(unit) : master, shares_[unit].values);
  returning_[unit].make_stream_wait();
  buffers(unit).leaving = returning_[unit];
}

}  // namespace longhaul
