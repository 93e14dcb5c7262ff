// How it works: a rank's n-th operation on a group posts its buffers in the group's n-th slot and returns. Whoever
// waits first once all have posted carries the operation out for everybody, over the buffers that nobody may touch
// before its own wait. Messages between two ranks are copied when they are sent.
#include "longhaul/comm/thread_communicator.h"

#include <condition_variable>
#include <cstring>
#include <deque>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "comm/count_traffic.h"
#include "comm/reduce.h"
#include "longhaul/comm/error.h"

namespace longhaul::comm {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kPoll{50};  // how soon a waiting rank notices that another failed

// Shared by all groups of one run.
class Job {
 public:
  void fail(int rank, const std::string& cause) {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = {rank, cause};
  }
  void throw_if_failed() const {
    const std::lock_guard lock(mutex_);
    if (failure_) throw CommunicationError("rank {} failed: {}", failure_->first, failure_->second);
  }

 private:
  mutable std::mutex mutex_;
  std::optional<std::pair<int, std::string>> failure_;
};

struct Posted {
  ConstBuffer in;
  Buffer out;
  std::vector<int64_t> send_counts, receive_counts;
};

using CarryOut = void (*)(const std::vector<Posted>& ranks, int argument);

struct Slot {
  std::vector<Posted> posted;
  int arrived = 0, left = 0;
  bool done = false;
};

struct Group {
  Group(std::shared_ptr<Job> job, int size) : job(std::move(job)), size(size) {}
  const std::shared_ptr<Job> job;
  const int size;
  std::mutex mutex;
  std::condition_variable changed;
  std::map<int64_t, Slot> slots;
  std::map<std::pair<int, int>, std::map<int64_t, std::vector<char>>> messages;  // (from, to) -> number -> bytes
  std::map<std::pair<int64_t, int>, std::shared_ptr<Group>> children;           // (split's number, colour)

  // Waits until `ready`, which is asked under the lock.
  template <typename Ready>
  void wait(std::unique_lock<std::mutex>& lock, std::chrono::milliseconds timeout, const std::string& what, Ready ready) {
    const auto start = Clock::now();
    while (!ready()) {
      changed.wait_for(lock, kPoll);
      if (ready()) return;
      job->throw_if_failed();
      if (timeout.count() > 0 && Clock::now() - start > timeout)
        throw CommunicationError("{} waited {:.1f} s in vain", what, static_cast<double>(timeout.count()) / 1000);
    }
  }
};

void carry_all_reduce(const std::vector<Posted>& ranks, int op) {
  std::vector<const void*> inputs;
  for (const Posted& p : ranks) inputs.push_back(p.out.data);
  const Buffer& first = ranks[0].out;
  std::vector<char> sum(static_cast<size_t>(first.count) * size_of(first.type));
  reduce(inputs, sum.data(), first.count, first.type, static_cast<ReduceOp>(op));
  for (const Posted& p : ranks) {
    if (!sum.empty()) std::memcpy(p.out.data, sum.data(), sum.size());
  }
}

void carry_reduce_scatter(const std::vector<Posted>& ranks, int op) {
  for (size_t r = 0; r < ranks.size(); ++r) {
    const Buffer& out = ranks[r].out;
    std::vector<const void*> inputs;
    for (const Posted& p : ranks) {
      inputs.push_back(static_cast<const char*>(p.in.data) + r * static_cast<size_t>(out.count) * size_of(out.type));
    }
    reduce(inputs, out.data, out.count, out.type, static_cast<ReduceOp>(op));
  }
}

void copy(void* to, const void* from, size_t bytes) {
  if (bytes > 0 && to != from) std::memmove(to, from, bytes);
}

void carry_all_gather(const std::vector<Posted>& ranks, int) {
  for (const Posted& to : ranks) {
    for (size_t r = 0; r < ranks.size(); ++r) {
      const size_t bytes = static_cast<size_t>(ranks[r].in.count) * size_of(ranks[r].in.type);
      copy(static_cast<char*>(to.out.data) + r * bytes, ranks[r].in.data, bytes);
    }
  }
}

void carry_all_to_all(const std::vector<Posted>& ranks, int) {
  for (size_t from = 0; from < ranks.size(); ++from) {
    int64_t sent = 0;
    for (size_t to = 0; to < ranks.size(); ++to) {
      const size_t width = size_of(ranks[from].in.type);
      const int64_t count = ranks[from].send_counts[to];
      int64_t place = 0;
      for (size_t r = 0; r < from; ++r) place += ranks[to].receive_counts[r];
      LONGHAUL_CHECK(count == ranks[to].receive_counts[from], "rank {} sends {} elements to rank {}, which expects {}",
                     from, count, to, ranks[to].receive_counts[from]);
      copy(static_cast<char*>(ranks[to].out.data) + static_cast<size_t>(place) * width,
           static_cast<const char*>(ranks[from].in.data) + static_cast<size_t>(sent) * width,
           static_cast<size_t>(count) * width);
      sent += count;
    }
  }
}

void carry_broadcast(const std::vector<Posted>& ranks, int root) {
  const Buffer& from = ranks[root].out;
  for (const Posted& p : ranks) copy(p.out.data, from.data, static_cast<size_t>(from.count) * size_of(from.type));
}

void carry_nothing(const std::vector<Posted>&, int) {}

class ThreadCommunicator final : public Communicator {
 public:
  ThreadCommunicator(std::shared_ptr<Group> group, int rank, std::string name, std::chrono::milliseconds timeout)
      : Communicator(rank, group->size, std::move(name)), group_(std::move(group)), timeout_(timeout) {}

  Work all_reduce(Buffer data, ReduceOp op) override {
    count_all_reduce(traffic_, data, size());
    return post({.in = {}, .out = data, .send_counts = {}, .receive_counts = {}}, carry_all_reduce, static_cast<int>(op), "all-reduce");
  }
  Work reduce_scatter(ConstBuffer in, Buffer out, ReduceOp op) override {
    LONGHAUL_CHECK(in.count == out.count * size(), "reduce-scatter of {} elements into {} × {}", in.count, size(), out.count);
    count_reduce_scatter(traffic_, in, size());
    return post({in, out, {}, {}}, carry_reduce_scatter, static_cast<int>(op), "reduce-scatter");
  }
  Work all_gather(ConstBuffer in, Buffer out) override {
    LONGHAUL_CHECK(out.count == in.count * size(), "all-gather of {} × {} elements into {}", size(), in.count, out.count);
    count_all_gather(traffic_, out, size());
    return post({in, out, {}, {}}, carry_all_gather, 0, "all-gather");
  }
  Work all_to_all(ConstBuffer in, std::span<const int64_t> send_counts, Buffer out,
                  std::span<const int64_t> receive_counts) override {
    count_all_to_all(traffic_, in, send_counts, rank());
    return post({in, out, {send_counts.begin(), send_counts.end()}, {receive_counts.begin(), receive_counts.end()}},
                carry_all_to_all, 0, "all-to-all");
  }
  Work broadcast(Buffer data, int root) override {
    count_broadcast(traffic_, data, size());
    return post({{}, data, {}, {}}, carry_broadcast, root, "broadcast");
  }

  Work send(ConstBuffer data, int to) override {
    count_send(traffic_, data);
    const auto* bytes = static_cast<const char*>(data.data);
    std::vector<char> message(bytes, bytes + static_cast<size_t>(data.count) * size_of(data.type));
    {
      const std::lock_guard lock(group_->mutex);
      group_->messages[{rank(), to}].emplace(sent_[to]++, std::move(message));
    }
    group_->changed.notify_all();
    return {};
  }

  Work receive(Buffer data, int from) override {
    struct Receive final : Work::State {
      std::shared_ptr<Group> group;
      Buffer data;
      std::pair<int, int> between;
      int64_t number = 0;
      std::chrono::milliseconds timeout{};
      std::string what;
      void wait() override {
        std::unique_lock lock(group->mutex);
        auto& queue = group->messages[between];
        group->wait(lock, timeout, what, [&] { return queue.contains(number); });
        const std::vector<char> message = std::move(queue.extract(number).mapped());
        LONGHAUL_CHECK(message.size() == static_cast<size_t>(data.count) * size_of(data.type),
                       "{}: {} bytes came where {} elements of {} are expected", what, message.size(), data.count,
                       name_of(data.type));
        copy(data.data, message.data(), message.size());
      }
      bool done() override {
        const std::lock_guard lock(group->mutex);
        return group->messages[between].contains(number);
      }
    };
    auto state = std::make_shared<Receive>();
    state->group = group_;
    state->data = data;
    state->between = {from, rank()};
    state->number = received_[from]++;
    state->timeout = timeout_;
    state->what = fmt::format("{}: rank {}'s receive from rank {}", name(), rank(), from);
    return Work(std::move(state));
  }

  void barrier() override { post({}, carry_nothing, 0, "barrier").wait(); }

  std::unique_ptr<Communicator> split(int colour, const std::string& name) override {
    // Everybody's colours first: they tell how large the new groups are, and this rank's place in its own.
    std::vector<int32_t> colours(size());
    all_gather_quietly(colour, colours);
    const int64_t number = splits_++;
    if (colour < 0) return nullptr;
    int members = 0, place = 0;
    for (int r = 0; r < size(); ++r) {
      if (colours[r] != colour) continue;
      if (r < rank()) ++place;
      ++members;
    }
    std::shared_ptr<Group> child;
    {
      const std::lock_guard lock(group_->mutex);
      auto& entry = group_->children[{number, colour}];
      if (!entry) entry = std::make_shared<Group>(group_->job, members);
      child = entry;
    }
    return std::make_unique<ThreadCommunicator>(std::move(child), place, name, timeout_);
  }

  void abort(const std::string& cause) override {
    group_->job->fail(rank(), cause);
    group_->changed.notify_all();
  }
  void set_timeout(std::chrono::milliseconds timeout) override { timeout_ = timeout; }

 private:
  struct Collective final : Work::State {
    std::shared_ptr<Group> group;
    int64_t number = 0;
    CarryOut carry_out = nullptr;
    int argument = 0;
    std::chrono::milliseconds timeout{};
    std::string what;

    Slot& slot() { return group->slots[number]; }
    void wait() override {
      std::unique_lock lock(group->mutex);
      group->wait(lock, timeout, what, [this] { return slot().arrived == group->size; });
      Slot& mine = slot();
      if (!mine.done) {
        carry_out(mine.posted, argument);
        mine.done = true;
      }
      if (++mine.left == group->size) group->slots.erase(number);
    }
    bool done() override {
      const std::lock_guard lock(group->mutex);
      return slot().arrived == group->size;
    }
  };

  Work post(Posted posted, CarryOut carry_out, int argument, const char* operation) {
    auto state = std::make_shared<Collective>();
    state->group = group_;
    state->number = operations_++;
    state->carry_out = carry_out;
    state->argument = argument;
    state->timeout = timeout_;
    state->what = fmt::format("{}: rank {}'s {}", name(), rank(), operation);
    {
      const std::lock_guard lock(group_->mutex);
      Slot& slot = group_->slots[state->number];
      slot.posted.resize(group_->size);
      slot.posted[rank()] = std::move(posted);
      ++slot.arrived;
    }
    group_->changed.notify_all();
    return Work(std::move(state));
  }

  void all_gather_quietly(int32_t value, std::vector<int32_t>& all) {
    post({{&value, 1, DataType::i32}, {all.data(), size(), DataType::i32}, {}, {}}, carry_all_gather, 0, "split").wait();
  }

  std::shared_ptr<Group> group_;
  std::chrono::milliseconds timeout_;
  int64_t operations_ = 0, splits_ = 0;
  std::map<int, int64_t> sent_, received_;
};

}  // namespace

void run_thread_ranks(int ranks, const std::function<void(Communicator& world)>& body) {
  const auto job = std::make_shared<Job>();
  const auto group = std::make_shared<Group>(job, ranks);
  std::mutex mutex;
  std::exception_ptr first;
  std::vector<std::thread> threads;
  threads.reserve(ranks);
  for (int rank = 0; rank < ranks; ++rank) {
    threads.emplace_back([&, rank] {
      ThreadCommunicator world(group, rank, "world", std::chrono::milliseconds(0));
      try {
        body(world);
      } catch (const std::exception& error) {
        const std::lock_guard lock(mutex);
        if (!first) first = std::current_exception();
        world.abort(error.what());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  if (first) std::rethrow_exception(first);
}

std::unique_ptr<Communicator> single_communicator() {
  return std::make_unique<ThreadCommunicator>(std::make_shared<Group>(std::make_shared<Job>(), 1), 0, "world",
                                              std::chrono::milliseconds(0));
}

}  // namespace longhaul::comm
