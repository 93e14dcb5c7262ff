#include "unit/train/mutant_communicator.h"

#include <cstring>
#include <vector>

namespace longhaul {
namespace {

using namespace comm;

class Mutant final : public Communicator {
 public:
  Mutant(Communicator& inner, std::unique_ptr<Communicator> owned, const Mutation& mutation, std::atomic<bool>& hit)
      : Communicator(inner.rank(), inner.size(), inner.name()),
        inner_(inner),
        owned_(std::move(owned)),
        mutation_(mutation),
        hit_(hit) {}

  Work all_reduce(Buffer data, ReduceOp op) override {
    if (!lies("all_reduce", data.type)) return inner_.all_reduce(data, op);
    if (mutation_.how == Mutation::How::drop) return {};
    inner_.all_reduce(data, op).wait();
    return inner_.all_reduce(data, op);
  }
  Work reduce_scatter(ConstBuffer in, Buffer out, ReduceOp op) override {
    if (!lies("reduce_scatter", in.type)) return inner_.reduce_scatter(in, out, op);
    if (mutation_.how == Mutation::How::lose) {
      std::memset(out.data, 0, bytes(out));
      return {};
    }
    if (mutation_.how == Mutation::How::drop) {  // the rank's own part, unsummed
      std::memmove(out.data, part(in, rank(), out.count), bytes(out));
      return {};
    }
    std::vector<char> whole(static_cast<const char*>(in.data), static_cast<const char*>(in.data) + bytes(in));
    inner_.all_reduce({whole.data(), in.count, in.type}, op).wait();
    std::memmove(out.data, whole.data() + ((rank() + 1) % size()) * bytes(out), bytes(out));  // the neighbour's
    return {};
  }
  Work all_gather(ConstBuffer in, Buffer out) override {
    if (!lies("all_gather", in.type)) return inner_.all_gather(in, out);
    if (mutation_.how == Mutation::How::lose) std::memset(out.data, 0, bytes(out));
    if (mutation_.how != Mutation::How::rotate) {  // without the others' parts, or with those that were there
      std::memmove(static_cast<char*>(out.data) + static_cast<size_t>(rank()) * bytes(in), in.data, bytes(in));
      return {};
    }
    inner_.all_gather(in, out).wait();
    std::vector<char> right(static_cast<char*>(out.data), static_cast<char*>(out.data) + bytes(out));
    const size_t shift = bytes(in);
    std::memcpy(out.data, right.data() + shift, right.size() - shift);
    std::memcpy(static_cast<char*>(out.data) + right.size() - shift, right.data(), shift);
    return {};
  }
  Work all_to_all(ConstBuffer in, std::span<const int64_t> send_counts, Buffer out,
                  std::span<const int64_t> receive_counts) override {
    return inner_.all_to_all(in, send_counts, out, receive_counts);
  }
  Work broadcast(Buffer data, int root) override { return inner_.broadcast(data, root); }
  Work send(ConstBuffer data, int to) override {
    if (!lies("send", data.type)) return inner_.send(data, to);
    std::vector<float> wrong(static_cast<const float*>(data.data), static_cast<const float*>(data.data) + data.count);
    for (float& x : wrong) x *= mutation_.how == Mutation::How::drop ? 0.0F : 2.0F;
    inner_.send({wrong.data(), data.count, data.type}, to).wait();
    return {};
  }
  Work receive(Buffer data, int from) override { return inner_.receive(data, from); }
  void barrier() override { inner_.barrier(); }
  std::unique_ptr<Communicator> split(int colour, const std::string& name) override {
    auto group = inner_.split(colour, name);
    if (!group) return nullptr;
    Communicator& raw = *group;
    return std::make_unique<Mutant>(raw, std::move(group), mutation_, hit_);
  }
  void abort(const std::string& cause, int exit_code) override { inner_.abort(cause, exit_code); }
  void set_timeout(std::chrono::milliseconds timeout) override { inner_.set_timeout(timeout); }

 private:
  static size_t bytes(const ConstBuffer& buffer) { return static_cast<size_t>(buffer.count) * size_of(buffer.type); }
  static const char* part(const ConstBuffer& in, int rank, int64_t count) {
    return static_cast<const char*>(in.data) + static_cast<size_t>(rank * count) * size_of(in.type);
  }
  bool lies(const char* operation, DataType type) {
    if (size() == 1 || name() != mutation_.group || mutation_.operation != operation || type != mutation_.type)
      return false;
    if (calls_++ != mutation_.call) return false;
    hit_ = true;
    return true;
  }

  Communicator& inner_;
  std::unique_ptr<Communicator> owned_;
  const Mutation& mutation_;
  std::atomic<bool>& hit_;
  int64_t calls_ = 0;
};

}  // namespace

std::unique_ptr<comm::Communicator> make_mutant(comm::Communicator& inner, const Mutation& mutation,
                                                std::atomic<bool>& hit) {
  return std::make_unique<Mutant>(inner, nullptr, mutation, hit);
}

}  // namespace longhaul
