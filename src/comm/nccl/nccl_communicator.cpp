// Every group has a stream of its own. An operation's stream waits for the caller's, NCCL enqueues its kernel there,
// and an event behind it is what `wait` makes the caller's stream wait for.
#include "longhaul/comm/nccl_communicator.h"

#include <optional>
#include <utility>
#include <vector>

#include "comm/count_traffic.h"
#include "comm/nccl/nccl_job.h"
#include "comm/nccl/nccl_memory.h"
#include "longhaul/comm/error.h"

namespace longhaul::comm {
namespace {

ncclDataType_t nccl_type(DataType type) {
  switch (type) {
    case DataType::u8:
      return ncclUint8;
    case DataType::i32:
      return ncclInt32;
    case DataType::i64:
      return ncclInt64;
    case DataType::f32:
      return ncclFloat32;
    case DataType::f64:
      return ncclFloat64;
    case DataType::bf16:
      return ncclBfloat16;
    case DataType::f16:
      return ncclFloat16;
  }
  LONGHAUL_CHECK(false, "data type {}", static_cast<int>(type));
  __builtin_unreachable();
}

ncclRedOp_t nccl_op(ReduceOp op) {
  switch (op) {
    case ReduceOp::sum:
      return ncclSum;
    case ReduceOp::max:
      return ncclMax;
    case ReduceOp::min:
      return ncclMin;
  }
  LONGHAUL_CHECK(false, "reduction {}", static_cast<int>(op));
  __builtin_unreachable();
}

ncclConfig_t non_blocking() {
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  config.blocking = 0;
  return config;
}

// An operation, or the batch that it is part of: done when `end` is reached.
struct Launch {
  std::shared_ptr<Event> end = std::make_shared<Event>();
  bool recorded = false;
};

class Pending final : public Work::State {
 public:
  Pending(std::shared_ptr<NcclJob> job, std::shared_ptr<Launch> launch, std::function<void*()> current_stream)
      : job_(std::move(job)), launch_(std::move(launch)), current_stream_(std::move(current_stream)) {}
  void wait() override {
    job_->throw_if_failed();
    LONGHAUL_CHECK(launch_->recorded, "a message is waited for before end_batch");
    launch_->end->make_wait(static_cast<cudaStream_t>(current_stream_()));
  }
  bool done() override { return launch_->recorded && launch_->end->reached(); }

 private:
  std::shared_ptr<NcclJob> job_;
  std::shared_ptr<Launch> launch_;
  std::function<void*()> current_stream_;
};

class NcclCommunicator final : public Communicator {
 public:
  NcclCommunicator(std::shared_ptr<NcclJob> job, ncclComm_t comm, Communicator& host, NcclOptions options, int rank,
                   int size, std::string name)
      : Communicator(rank, size, std::move(name)),
        job_(std::move(job)),
        comm_(comm),
        host_(host),
        options_(std::move(options)) {}
  ~NcclCommunicator() override {
    memory_.reset();
    job_->remove(comm_);
  }

  Work all_reduce(Buffer data, ReduceOp op) override {
    count_all_reduce(traffic_, data, size());
    return run("all-reduce", data.count, [=, this](const NcclLibrary& nccl) {
      return nccl.all_reduce(data.data, data.data, static_cast<size_t>(data.count), nccl_type(data.type), nccl_op(op),
                             comm_, stream_.get());
    });
  }
  Work reduce_scatter(ConstBuffer in, Buffer out, ReduceOp op) override {
    LONGHAUL_CHECK(in.count == out.count * size() && in.type == out.type, "reduce-scatter of {} elements into {} × {}",
                   in.count, size(), out.count);
    count_reduce_scatter(traffic_, in, size());
    return run("reduce-scatter", in.count, [=, this](const NcclLibrary& nccl) {
      return nccl.reduce_scatter(in.data, out.data, static_cast<size_t>(out.count), nccl_type(in.type), nccl_op(op),
                                 comm_, stream_.get());
    });
  }
  Work all_gather(ConstBuffer in, Buffer out) override {
    LONGHAUL_CHECK(out.count == in.count * size() && in.type == out.type, "all-gather of {} × {} elements into {}",
                   size(), in.count, out.count);
    count_all_gather(traffic_, out, size());
    return run("all-gather", out.count, [=, this](const NcclLibrary& nccl) {
      return nccl.all_gather(in.data, out.data, static_cast<size_t>(in.count), nccl_type(in.type), comm_,
                             stream_.get());
    });
  }
  Work all_to_all(ConstBuffer in, std::span<const int64_t> send_counts, Buffer out,
                  std::span<const int64_t> receive_counts) override {
    LONGHAUL_CHECK(std::ssize(send_counts) == size() && std::ssize(receive_counts) == size() && in.type == out.type,
                   "all-to-all with {} and {} counts for {} ranks", send_counts.size(), receive_counts.size(), size());
    count_all_to_all(traffic_, in, send_counts, rank());
    return run("all-to-all", in.count + out.count, [&, this](const NcclLibrary& nccl) {
      const size_t width = size_of(in.type);
      const auto* from = static_cast<const char*>(in.data);
      auto* to = static_cast<char*>(out.data);
      ncclResult_t result = nccl.group_start();
      const auto keep = [&result](ncclResult_t next) {
        if (result == ncclSuccess || result == ncclInProgress) result = next;
      };
      for (int r = 0; r < size(); ++r) {
        const auto sent = static_cast<size_t>(send_counts[r]), received = static_cast<size_t>(receive_counts[r]);
        if (sent > 0) keep(nccl.send(from, sent, nccl_type(in.type), r, comm_, stream_.get()));
        if (received > 0) keep(nccl.receive(to, received, nccl_type(in.type), r, comm_, stream_.get()));
        from += sent * width;
        to += received * width;
      }
      keep(nccl.group_end());
      return result;
    });
  }
  Work broadcast(Buffer data, int root) override {
    count_broadcast(traffic_, data, size());
    return run("broadcast", data.count, [=, this](const NcclLibrary& nccl) {
      return nccl.broadcast(data.data, data.data, static_cast<size_t>(data.count), nccl_type(data.type), root, comm_,
                            stream_.get());
    });
  }

  Work send(ConstBuffer data, int to) override {
    count_send(traffic_, data);
    return message(data.count, [=, this](const NcclLibrary& nccl) {
      return nccl.send(data.data, static_cast<size_t>(data.count), nccl_type(data.type), to, comm_, stream_.get());
    });
  }
  Work receive(Buffer data, int from) override {
    return message(data.count, [=, this](const NcclLibrary& nccl) {
      return nccl.receive(data.data, static_cast<size_t>(data.count), nccl_type(data.type), from, comm_, stream_.get());
    });
  }

  void begin_batch() override {
    LONGHAUL_CHECK(!batch_, "begin_batch within a batch");
    batch_ = std::make_shared<Launch>();
  }
  void end_batch() override {
    LONGHAUL_CHECK(batch_, "end_batch without begin_batch");
    const auto launch = std::exchange(batch_, nullptr);
    const auto messages = std::exchange(messages_, {});
    start(*launch, "a batch of messages", [&](const NcclLibrary& nccl) {
      ncclResult_t result = nccl.group_start();
      for (const Call& call : messages) {
        if (result == ncclSuccess || result == ncclInProgress) result = call(nccl);
      }
      const ncclResult_t end = nccl.group_end();
      return result == ncclSuccess || result == ncclInProgress ? end : result;
    });
  }

  // Blocks the host until all ranks' GPUs have done what stands before it.
  void barrier() override {
    void* flag = nullptr;
    check_cuda(cudaMalloc(&flag, sizeof(int32_t)), "cudaMalloc");
    const std::unique_ptr<void, decltype(&cudaFree)> owner(flag, &cudaFree);
    const auto launch = std::make_shared<Launch>();
    start(*launch, "barrier", [&](const NcclLibrary& nccl) {
      return nccl.all_reduce(flag, flag, 1, ncclInt32, ncclMax, comm_, stream_.get());
    });
    while (!launch->end->reached()) {
      job_->throw_if_failed();
      std::this_thread::sleep_for(std::chrono::microseconds(20));
    }
    job_->throw_if_failed();
  }

  std::shared_ptr<void> registered_memory(size_t bytes) override {
    if (!memory_) {
      memory_.emplace(NcclLibrary::get(), comm_, [this](const char* what, const NcclMemory::Call& call) {
        job_->call(fmt::format("{}: rank {}'s {}", name(), host_.rank(), what), comm_, options_.timeout, call);
      });
    }
    return memory_->take(bytes);
  }

  std::unique_ptr<Communicator> split(int colour, const std::string& name) override {
    ncclComm_t comm = nullptr;
    ncclConfig_t config = non_blocking();
    job_->call(this->name() + ": split into " + name, comm_, options_.timeout, [&](const NcclLibrary& nccl) {
      return nccl.split(comm_, colour < 0 ? NCCL_SPLIT_NOCOLOR : colour, rank(), &comm, &config);
    });
    if (colour < 0) return nullptr;
    return adopt(job_, comm, host_, options_, name);
  }

  // Wraps a group that is being made: waits until it is.
  static std::unique_ptr<Communicator> adopt(std::shared_ptr<NcclJob> job, ncclComm_t comm, Communicator& host,
                                             const NcclOptions& options, const std::string& name) {
    job->add(comm);
    int rank = 0, size = 0;
    const std::string what = name + ": making the group";
    job->call(what, comm, options.timeout, [](const NcclLibrary&) { return ncclInProgress; });
    job->call(what, comm, options.timeout, [&](const NcclLibrary& nccl) { return nccl.user_rank(comm, &rank); });
    job->call(what, comm, options.timeout, [&](const NcclLibrary& nccl) { return nccl.count(comm, &size); });
    return std::make_unique<NcclCommunicator>(std::move(job), comm, host, options, rank, size, name);
  }

  void abort(const std::string& cause, int exit_code) override {
    job_->fail(fmt::format("rank {} failed: {}", host_.rank(), cause));
    host_.abort(cause, exit_code);
  }
  void set_timeout(std::chrono::milliseconds timeout) override { options_.timeout = timeout; }

 private:
  using Call = std::function<ncclResult_t(const NcclLibrary&)>;

  void start(Launch& launch, const char* operation, const Call& call) {
    const std::string what = fmt::format("{}: rank {}'s {}", name(), host_.rank(), operation);
    ready_.record(static_cast<cudaStream_t>(options_.current_stream()));
    ready_.make_wait(stream_.get());
    job_->call(what, comm_, options_.timeout, call);
    launch.end->record(stream_.get());
    launch.recorded = true;
    job_->watch(launch.end, what, options_.timeout);
  }

  Work run(const char* operation, int64_t elements, const Call& call) {
    if (elements == 0) return {};
    const auto launch = std::make_shared<Launch>();
    start(*launch, operation, call);
    return Work(std::make_shared<Pending>(job_, launch, options_.current_stream));
  }

  Work message(int64_t elements, Call call) {
    if (elements == 0) return {};
    if (!batch_) return run("message", elements, call);
    messages_.push_back(std::move(call));
    return Work(std::make_shared<Pending>(job_, batch_, options_.current_stream));
  }

  std::shared_ptr<NcclJob> job_;
  ncclComm_t comm_;
  Communicator& host_;
  NcclOptions options_;
  UrgentStream stream_;
  std::optional<NcclMemory> memory_;  // from the first that is taken on
  Event ready_;                       // what the caller's stream held when the last operation was called
  std::shared_ptr<Launch> batch_;     // between begin_batch and end_batch
  std::vector<Call> messages_;        // its messages so far
};

}  // namespace

std::unique_ptr<Communicator> nccl_communicator(Communicator& host, const NcclOptions& options) {
  check_cuda(cudaSetDevice(options.device), "cudaSetDevice");
  const auto job = std::make_shared<NcclJob>(options.device);
  ncclUniqueId id{};
  if (host.rank() == 0) {
    const ncclResult_t result = NcclLibrary::get().unique_id(&id);
    if (result != ncclSuccess)
      throw EnvironmentError("NCCL gives no unique id: {}", NcclLibrary::get().error_string(result));
  }
  host.broadcast({&id, sizeof id, DataType::u8}, 0).wait();
  ncclComm_t comm = nullptr;
  ncclConfig_t config = non_blocking();
  job->call("making the group of all GPUs", comm, options.timeout,
            [&](const NcclLibrary& nccl) { return nccl.init(&comm, host.size(), id, host.rank(), &config); });
  return NcclCommunicator::adopt(job, comm, host, options, host.name());
}

int nccl_version() {
  return NcclLibrary::get().version;
}
std::string nccl_path() {
  return NcclLibrary::get().path;
}

}  // namespace longhaul::comm
