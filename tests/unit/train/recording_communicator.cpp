#include "unit/train/recording_communicator.h"

#include <utility>

namespace longhaul {
namespace {

using namespace comm;

class Recorder final : public Communicator {
 public:
  Recorder(Communicator& inner, std::unique_ptr<Communicator> owned, std::function<void(const RecordedCall&)> on_call,
           Exchange exchange, RegisteredMemory memory)
      : Communicator(inner.rank(), inner.size(), inner.name()),
        inner_(inner),
        owned_(std::move(owned)),
        on_call_(std::move(on_call)),
        exchange_(exchange),
        memory_(std::move(memory)) {}

  Work all_reduce(Buffer data, ReduceOp op) override {
    tell("all_reduce", data.type);
    return exchanged(inner_.all_reduce(data, op));
  }
  Work reduce_scatter(ConstBuffer in, Buffer out, ReduceOp op) override {
    tell("reduce_scatter", in.type);
    return exchanged(inner_.reduce_scatter(in, out, op));
  }
  Work all_gather(ConstBuffer in, Buffer out) override {
    tell("all_gather", in.type);
    return exchanged(inner_.all_gather(in, out));
  }
  Work all_to_all(ConstBuffer in, std::span<const int64_t> send_counts, Buffer out,
                  std::span<const int64_t> receive_counts) override {
    tell("all_to_all", in.type);
    return inner_.all_to_all(in, send_counts, out, receive_counts);
  }
  Work broadcast(Buffer data, int root) override {
    tell("broadcast", data.type);
    return inner_.broadcast(data, root);
  }
  Work send(ConstBuffer data, int to) override {
    tell("send", data.type);
    return inner_.send(data, to);
  }
  Work receive(Buffer data, int from) override {
    tell("receive", data.type);
    return inner_.receive(data, from);
  }
  void barrier() override { inner_.barrier(); }
  std::unique_ptr<Communicator> split(int colour, const std::string& name) override {
    auto group = inner_.split(colour, name);
    if (!group) return nullptr;
    Communicator& raw = *group;
    return std::make_unique<Recorder>(raw, std::move(group), on_call_, exchange_, memory_);
  }
  std::shared_ptr<void> registered_memory(size_t bytes) override {
    tell("registered_memory", DataType::u8);
    return memory_ ? memory_(bytes) : inner_.registered_memory(bytes);
  }
  void abort(const std::string& cause, int exit_code) override { inner_.abort(cause, exit_code); }
  void set_timeout(std::chrono::milliseconds timeout) override { inner_.set_timeout(timeout); }

 private:
  Work exchanged(Work work) const {
    if (exchange_ == Exchange::at_once) work.wait();
    return work;
  }
  void tell(const char* operation, DataType type) const { on_call_({name(), operation, type}); }

  Communicator& inner_;
  std::unique_ptr<Communicator> owned_;
  const std::function<void(const RecordedCall&)> on_call_;
  const Exchange exchange_;
  const RegisteredMemory memory_;
};

}  // namespace

std::unique_ptr<comm::Communicator> make_recorder(comm::Communicator& inner,
                                                  std::function<void(const RecordedCall& call)> on_call,
                                                  Exchange exchange, RegisteredMemory memory) {
  return std::make_unique<Recorder>(inner, nullptr, std::move(on_call), exchange, std::move(memory));
}

}  // namespace longhaul
