// How it works: a rank's n-th operation on a group posts its buffers in the group's n-th slot and returns. Whoever
// waits first once all have posted carries the operation out for everybody, over the buffers that nobody may touch
// before its own wait. Messages between two ranks are copied when they are sent.
#include "longhaul/comm/thread_communicator.h"

#include <fmt/ranges.h>

#include <condition_variable>
#include <cstring>
#include <deque>
#include <exception>
#include <map>
#include <mutex>
#include <numeric>
#include <optional>
#include <thread>
#include <utility>

#include "comm/count_traffic.h"
#include "comm/thread_collectives.h"
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

// One operation of a group.
struct Slot {
  CarryOut carry_out = nullptr;
  int argument = 0;
  std::vector<std::optional<Posted>> posted;  // by rank
  int arrived = 0, left = 0;
  bool done = false;
};

struct Group {
  Group(std::shared_ptr<Job> job, std::vector<int> members)
      : job(std::move(job)), members(std::move(members)), size(static_cast<int>(this->members.size())) {}
  const std::shared_ptr<Job> job;
  const std::vector<int> members;  // their ranks in the whole job, for messages
  const int size;
  std::mutex mutex;
  std::condition_variable changed;
  std::map<int64_t, Slot> slots;
  std::map<std::pair<int, int>, std::map<int64_t, std::vector<char>>> messages;  // (from, to) -> number -> bytes
  std::map<std::pair<int64_t, int>, std::shared_ptr<Group>> children;            // (split's number, colour)

  // Waits until `ready`, which is asked under the lock; `missing` says for whom it waited in vain.
  template <typename Ready, typename Missing>
  void wait(std::unique_lock<std::mutex>& lock, std::chrono::milliseconds timeout, const std::string& what, Ready ready,
            Missing missing) {
    const auto start = Clock::now();
    while (!ready()) {
      changed.wait_for(lock, kPoll);
      if (ready()) return;
      job->throw_if_failed();
      if (timeout.count() > 0 && Clock::now() - start > timeout)
        throw CommunicationError("{} waited {:.1f} s in vain for {}", what, static_cast<double>(timeout.count()) / 1000,
                                 missing());
    }
  }
};

class ThreadCommunicator final : public Communicator {
 public:
  ThreadCommunicator(std::shared_ptr<Group> group, int rank, std::string name, std::chrono::milliseconds timeout)
      : Communicator(rank, group->size, std::move(name)), group_(std::move(group)), timeout_(timeout) {}

  Work all_reduce(Buffer data, ReduceOp op) override {
    count_all_reduce(traffic_, data, size());
    return post({{}, data, {}, {}}, carry_all_reduce, static_cast<int>(op), "all-reduce");
  }
  Work reduce_scatter(ConstBuffer in, Buffer out, ReduceOp op) override {
    LONGHAUL_CHECK(in.count == out.count * size(), "reduce-scatter of {} elements into {} × {}", in.count, size(),
                   out.count);
    count_reduce_scatter(traffic_, in, size());
    return post({in, out, {}, {}}, carry_reduce_scatter, static_cast<int>(op), "reduce-scatter");
  }
  Work all_gather(ConstBuffer in, Buffer out) override {
    LONGHAUL_CHECK(out.count == in.count * size(), "all-gather of {} × {} elements into {}", size(), in.count,
                   out.count);
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
        group->wait(
            lock, timeout, what, [&] { return queue.contains(number); },
            [&] { return fmt::format("rank {}", group->members[between.first]); });
        const std::vector<char> message = std::move(queue.extract(number).mapped());
        LONGHAUL_CHECK(message.size() == static_cast<size_t>(data.count) * size_of(data.type),
                       "{}: {} bytes came where {} elements of {} are expected", what, message.size(), data.count,
                       name_of(data.type));
        if (!message.empty()) std::memcpy(data.data, message.data(), message.size());
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
    state->what =
        fmt::format("{}: rank {}'s receive from rank {}", name(), group_->members[rank()], group_->members[from]);
    return Work(std::move(state));
  }

  void barrier() override { post({}, carry_barrier, 0, "barrier").wait(); }

  std::unique_ptr<Communicator> split(int colour, const std::string& name) override {
    // Everybody's colours first: they tell how large the new groups are, and this rank's place in its own.
    std::vector<int32_t> colours(size());
    all_gather_quietly(colour, colours);
    const int64_t number = splits_++;
    if (colour < 0) return nullptr;
    std::vector<int> members;
    int place = 0;
    for (int r = 0; r < size(); ++r) {
      if (colours[r] != colour) continue;
      if (r == rank()) place = static_cast<int>(members.size());
      members.push_back(group_->members[r]);
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

  void abort(const std::string& cause, int) override {
    group_->job->fail(group_->members[rank()], cause);
    group_->changed.notify_all();
  }
  void set_timeout(std::chrono::milliseconds timeout) override { timeout_ = timeout; }

 private:
  // A Work that is dropped unwaited, as when its rank fails, takes its buffers back: nobody may touch them any more.
  struct Collective final : Work::State {
    std::shared_ptr<Group> group;
    int64_t number = 0;
    int rank = 0;
    std::chrono::milliseconds timeout{};
    std::string what;
    bool waited = false;

    ~Collective() override {
      if (waited) return;
      const std::lock_guard lock(group->mutex);
      Slot& mine = slot();
      mine.posted[rank].reset();
      --mine.arrived;
    }
    Slot& slot() { return group->slots.at(number); }
    void wait() override {
      std::unique_lock lock(group->mutex);
      Slot& mine = slot();
      group->wait(
          lock, timeout, what, [&] { return ready(mine); }, [&] { return missing(mine); });
      if (!mine.done) {
        std::vector<Posted> posted;
        for (const auto& p : mine.posted) posted.push_back(*p);
        mine.carry_out(posted, mine.argument);
        mine.done = true;
      }
      waited = true;
      if (++mine.left == group->size) group->slots.erase(number);
    }
    bool done() override {
      const std::lock_guard lock(group->mutex);
      return ready(slot());
    }
    bool ready(const Slot& mine) const { return mine.done || mine.arrived == group->size; }
    std::string missing(const Slot& mine) const {
      std::vector<int> ranks;
      for (int r = 0; r < group->size; ++r) {
        if (!mine.posted[r]) ranks.push_back(group->members[r]);
      }
      return fmt::format("rank{} {}", ranks.size() == 1 ? "" : "s", fmt::join(ranks, ", "));
    }
  };

  Work post(Posted posted, CarryOut carry_out, int argument, const char* operation) {
    auto state = std::make_shared<Collective>();
    {
      const std::lock_guard lock(group_->mutex);
      Slot& slot = group_->slots[operations_];
      if (slot.posted.empty()) {
        slot.posted.resize(group_->size);
        slot.carry_out = carry_out;
        slot.argument = argument;
      }
      state->waited = true;  // nothing is posted yet that the destructor could take back
      LONGHAUL_CHECK(slot.carry_out == carry_out && slot.argument == argument,
                     "{}: the ranks call different operations; rank {} calls {}", name(), group_->members[rank()],
                     operation);
      slot.posted[rank()] = std::move(posted);
      ++slot.arrived;
    }
    state->group = group_;
    state->number = operations_++;
    state->rank = rank();
    state->timeout = timeout_;
    state->what = fmt::format("{}: rank {}'s {}", name(), group_->members[rank()], operation);
    state->waited = false;
    group_->changed.notify_all();
    return Work(std::move(state));
  }

  void all_gather_quietly(int32_t value, std::vector<int32_t>& all) {
    post({{&value, 1, DataType::i32}, {all.data(), size(), DataType::i32}, {}, {}}, carry_all_gather, 0, "split")
        .wait();
  }

  std::shared_ptr<Group> group_;
  std::chrono::milliseconds timeout_;
  int64_t operations_ = 0, splits_ = 0;
  std::map<int, int64_t> sent_, received_;
};

}  // namespace

void run_thread_ranks(int ranks, const std::function<void(Communicator& world)>& body) {
  const auto job = std::make_shared<Job>();
  std::vector<int> members(ranks);
  std::iota(members.begin(), members.end(), 0);
  const auto group = std::make_shared<Group>(job, std::move(members));
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
        world.abort(error.what(), 1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  if (first) std::rethrow_exception(first);
}

std::unique_ptr<Communicator> single_communicator() {
  return std::make_unique<ThreadCommunicator>(std::make_shared<Group>(std::make_shared<Job>(), std::vector<int>{0}), 0,
                                              "world", std::chrono::milliseconds(0));
}

}  // namespace longhaul::comm
