// What every communicator must do, whatever carries it: each operation with each data type, many sizes, in place and
// not, against values worked out by formula. All ranks of a group run it together; the first mismatch throws.
#pragma once

#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "longhaul/comm/communicator.h"

namespace longhaul::comm::conformance {

// Where buffers live: host memory, or a GPU's.
struct Place {
  std::function<void*(size_t)> allocate = [](size_t bytes) { return ::operator new(bytes + 1); };
  std::function<void(void*)> release = [](void* data) { ::operator delete(data); };
  std::function<void(void* to, const void* from, size_t bytes)> copy = [](void* to, const void* from, size_t bytes) {
    if (bytes > 0) std::memcpy(to, from, bytes);
  };
  std::function<void()> synchronise = [] {};
};

constexpr DataType kTypes[] = {DataType::u8,  DataType::i32,  DataType::i64, DataType::f32,
                               DataType::f64, DataType::bf16, DataType::f16};

// Whole numbers that every type holds exactly, sums of eight ranks included.
inline int value(int rank, int64_t i) {
  return static_cast<int>((rank * 7 + i * 3) % 11);
}

inline void encode(DataType type, void* to, double x) {
  const auto put = [to](auto y) { std::memcpy(to, &y, sizeof y); };
  switch (type) {
    case DataType::u8:
      return put(static_cast<uint8_t>(x));
    case DataType::i32:
      return put(static_cast<int32_t>(x));
    case DataType::i64:
      return put(static_cast<int64_t>(x));
    case DataType::f32:
      return put(static_cast<float>(x));
    case DataType::f64:
      return put(x);
    case DataType::bf16:
      return put(static_cast<uint16_t>(std::bit_cast<uint32_t>(static_cast<float>(x)) >> 16));
    case DataType::f16:
      return put(static_cast<_Float16>(x));
  }
}

class Array {
 public:
  Array(const Place& place, DataType type, int64_t count, const std::function<double(int64_t)>& at)
      : place_(place), type_(type), count_(count), data_(place.allocate(bytes())) {
    const std::vector<char> host = encoded(at);
    place_.copy(data_, host.data(), host.size());
  }
  ~Array() { place_.release(data_); }
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;

  Buffer buffer() const { return {data_, count_, type_}; }
  Buffer part(int64_t start, int64_t count) const {
    return {static_cast<char*>(data_) + static_cast<size_t>(start) * size_of(type_), count, type_};
  }
  void expect(const std::string& what, const std::function<double(int64_t)>& at) const {
    place_.synchronise();
    std::vector<char> host(bytes());
    place_.copy(host.data(), data_, host.size());
    const std::vector<char> expected = encoded(at);
    for (size_t i = 0; i < host.size(); ++i) {
      if (host[i] == expected[i]) continue;
      const size_t element = i / size_of(type_);
      throw std::runtime_error(what + " of " + std::to_string(count_) + " elements of " + std::string(name_of(type_)) +
                               ": element " + std::to_string(element) + " is not " +
                               std::to_string(at(static_cast<int64_t>(element))));
    }
  }

 private:
  size_t bytes() const { return static_cast<size_t>(count_) * size_of(type_); }
  std::vector<char> encoded(const std::function<double(int64_t)>& at) const {
    std::vector<char> host(bytes());
    for (int64_t i = 0; i < count_; ++i) encode(type_, host.data() + static_cast<size_t>(i) * size_of(type_), at(i));
    return host;
  }
  const Place& place_;
  DataType type_;
  int64_t count_;
  void* data_;
};

class Suite {
 public:
  Suite(Communicator& group, const Place& place) : g_(group), place_(place), n_(group.size()), me_(group.rank()) {}

  // Returns how many results were compared.
  int64_t run(const std::vector<int64_t>& sizes) {
    for (const DataType type : kTypes) {
      for (const int64_t size : sizes) {
        type_ = type;
        for (const ReduceOp op : {ReduceOp::sum, ReduceOp::max, ReduceOp::min}) reductions(size, op);
        gathers(size);
        broadcasts(size);
        all_to_all(size);
        messages(size);
        several_in_flight(size);
      }
    }
    g_.barrier();
    return compared_;
  }

 private:
  using At = std::function<double(int64_t)>;
  Array array(int64_t count, const At& at) const { return {place_, type_, count, at}; }
  Array blank(int64_t count) const {
    return array(count, [](int64_t) { return 99; });
  }
  At mine() const { return of(me_); }
  static At of(int rank) {
    return [rank](int64_t i) { return value(rank, i); };
  }
  At reduced(ReduceOp op) const {
    return [n = n_, op](int64_t i) {
      double x = value(0, i);
      for (int r = 1; r < n; ++r) {
        const double y = value(r, i);
        x = op == ReduceOp::sum ? x + y : op == ReduceOp::max ? std::max(x, y) : std::min(x, y);
      }
      return x;
    };
  }
  static At shifted(At at, int64_t by) {
    return [at = std::move(at), by](int64_t i) { return at(i + by); };
  }
  void expect(const Array& a, const char* what, const At& at) {
    a.expect(g_.name() + ", rank " + std::to_string(me_) + " of " + std::to_string(n_) + ": " + what, at);
    ++compared_;
  }

  void reductions(int64_t size, ReduceOp op) {
    const Array all = array(size, mine());
    g_.all_reduce(all.buffer(), op).wait();
    expect(all, "all-reduce", reduced(op));

    const Array in = array(size * n_, mine());
    const Array out = blank(size);
    g_.reduce_scatter(in.buffer(), out.buffer(), op).wait();
    expect(out, "reduce-scatter", shifted(reduced(op), size * me_));
    expect(in, "the input of reduce-scatter", mine());
    g_.reduce_scatter(in.buffer(), in.part(size * me_, size), op).wait();
    expect(in, "reduce-scatter in place",
           [&, r = reduced(op)](int64_t i) { return size > 0 && i / size == me_ ? r(i) : value(me_, i); });
  }

  void gathers(int64_t size) {
    const At gathered = [size](int64_t i) { return value(static_cast<int>(i / size), i % size); };
    const Array in = array(size, mine());
    const Array out = blank(size * n_);
    g_.all_gather(in.buffer(), out.buffer()).wait();
    expect(out, "all-gather", gathered);
    const Array both = array(size * n_, [&](int64_t i) { return i / size == me_ ? value(me_, i % size) : 99; });
    g_.all_gather(both.part(size * me_, size), both.buffer()).wait();
    expect(both, "all-gather in place", gathered);
  }

  void broadcasts(int64_t size) {
    for (int root = 0; root < n_; ++root) {
      const Array all = array(size, mine());
      g_.broadcast(all.buffer(), root).wait();
      expect(all, "broadcast", of(root));
    }
  }

  // Rank a sends (a + 2 b) % 4 × size elements to rank b: some get nothing.
  void all_to_all(int64_t size) {
    const auto count = [size](int from, int to) { return (from + 2 * to) % 4 * size; };
    std::vector<int64_t> sends, receives;
    int64_t sent = 0, received = 0;
    for (int r = 0; r < n_; ++r) {
      sends.push_back(count(me_, r));
      receives.push_back(count(r, me_));
      sent += sends.back();
      received += receives.back();
    }
    const Array in = array(sent, mine());
    const Array out = blank(received);
    g_.all_to_all(in.buffer(), sends, out.buffer(), receives).wait();
    expect(out, "all-to-all", [&](int64_t i) {
      int from = 0;
      while (i >= receives[from]) i -= receives[from++];
      int64_t start = 0;
      for (int r = 0; r < me_; ++r) start += count(from, r);
      return static_cast<double>(value(from, start + i));
    });
  }

  // Two messages to the right neighbour, batched, the second of another length.
  void messages(int64_t size) {
    const int right = (me_ + 1) % n_, left = (me_ + n_ - 1) % n_;
    const Array first = array(size, mine()), second = array(size + 1, shifted(mine(), 5));
    const Array got_first = blank(size), got_second = blank(size + 1);
    g_.begin_batch();
    std::vector<Work> works;
    works.push_back(g_.send(first.buffer(), right));
    works.push_back(g_.send(second.buffer(), right));
    works.push_back(g_.receive(got_first.buffer(), left));
    works.push_back(g_.receive(got_second.buffer(), left));
    g_.end_batch();
    for (Work& work : works) work.wait();
    expect(got_first, "message", of(left));
    expect(got_second, "second message", shifted(of(left), 5));
  }

  // Four operations under way, waited for from the last to the first on odd ranks.
  void several_in_flight(int64_t size) {
    std::vector<std::unique_ptr<Array>> arrays;
    std::vector<Work> works;
    for (int k = 0; k < 4; ++k) {
      arrays.push_back(std::make_unique<Array>(place_, type_, size, shifted(mine(), k)));
      works.push_back(g_.all_reduce(arrays.back()->buffer()));
    }
    for (int k = 0; k < 4; ++k) works[static_cast<size_t>(me_ % 2 == 1 ? 3 - k : k)].wait();
    for (int k = 0; k < 4; ++k)
      expect(*arrays[static_cast<size_t>(k)], "one of four all-reduces", shifted(reduced(ReduceOp::sum), k));
  }

  Communicator& g_;
  const Place& place_;
  int n_, me_;
  DataType type_ = DataType::f32;
  int64_t compared_ = 0;
};

// Rows and columns of a grid that is `width` ranks wide, each rank with an operation under way in both.
inline int64_t concurrent_groups(Communicator& world, const Place& place, int width) {
  const int row = world.rank() / width, column = world.rank() % width;
  const auto across = world.split(row, "row");
  const auto down = world.split(column, "column");
  const auto odd = world.split(world.rank() % 2 == 1 ? 0 : -1, "odd");
  if ((odd != nullptr) != (world.rank() % 2 == 1)) throw std::runtime_error("split by a negative colour");
  int64_t compared = 0;
  for (const int64_t size : {3, 5000}) {
    const Array a(place, DataType::f32, size, [&](int64_t) { return world.rank(); });
    const Array b(place, DataType::f32, size, [&](int64_t) { return world.rank(); });
    Work first = across->all_reduce(a.buffer()), second = down->all_reduce(b.buffer());
    if (world.rank() % 2 == 1) {
      second.wait();
      first.wait();
    } else {
      first.wait();
      second.wait();
    }
    double in_row = 0, in_column = 0;
    for (int r = 0; r < world.size(); ++r) {
      if (r / width == row) in_row += r;
      if (r % width == column) in_column += r;
    }
    a.expect("a sum over the row", [&](int64_t) { return in_row; });
    b.expect("a sum over the column", [&](int64_t) { return in_column; });
    compared += 2;
  }
  compared += Suite(*across, place).run({0, 7});
  compared += Suite(*down, place).run({0, 7});
  return compared;
}

// A sum of arbitrary floats has the same bits on every rank.
inline void bit_equal_sums(Communicator& world, const Place& place) {
  const int64_t count = 10'001;
  std::mt19937_64 random(static_cast<uint64_t>(world.rank()));
  std::normal_distribution<double> normal;
  std::vector<float> host(static_cast<size_t>(count));
  for (float& x : host) x = static_cast<float>(normal(random) * std::exp2(20 * normal(random)));
  const Array a(place, DataType::f32, count, [&](int64_t i) { return host[static_cast<size_t>(i)]; });
  const Array all(place, DataType::f32, count * world.size(), [](int64_t) { return 0; });
  world.all_reduce(a.buffer()).wait();
  world.all_gather(a.buffer(), all.buffer()).wait();
  place.synchronise();
  std::vector<float> sums(static_cast<size_t>(count * world.size()));
  place.copy(sums.data(), all.buffer().data, sums.size() * sizeof(float));
  for (int r = 1; r < world.size(); ++r) {
    if (std::memcmp(sums.data(), sums.data() + r * count, static_cast<size_t>(count) * sizeof(float)) != 0)
      throw std::runtime_error("all-reduce gave rank " + std::to_string(r) + " other bits than rank 0");
  }
}

// Tensors of some megabytes, which travel in pieces.
inline int64_t large_tensors(Communicator& world, const Place& place) {
  int64_t compared = 0;
  for (const DataType type : {DataType::f32, DataType::bf16}) {
    const int64_t size = 2'500'003;
    const Array all(place, type, size, [&](int64_t i) { return value(world.rank(), i); });
    world.all_reduce(all.buffer()).wait();
    const auto sum = [&](int64_t i) {
      double x = 0;
      for (int r = 0; r < world.size(); ++r) x += value(r, i);
      return x;
    };
    all.expect("a large all-reduce", sum);
    const int64_t part = size / world.size();
    const Array in(place, type, part * world.size(), [&](int64_t i) { return value(world.rank(), i); });
    world.reduce_scatter(in.buffer(), in.part(part * world.rank(), part)).wait();
    in.expect("a large reduce-scatter",
              [&](int64_t i) { return i / part == world.rank() ? sum(i) : value(world.rank(), i); });
    compared += 2;
  }
  return compared;
}

// All of it. Returns how many results this rank compared.
inline int64_t run(Communicator& world, const Place& place = {},
                   const std::vector<int64_t>& sizes = {0, 1, 5, 127, 6007}) {
  int64_t compared = Suite(world, place).run(sizes);
  for (int width = 1; width <= world.size(); ++width) {
    if (world.size() % width == 0) compared += concurrent_groups(world, place, width);
  }
  bit_equal_sums(world, place);
  compared += large_tensors(world, place);
  return compared;
}

}  // namespace longhaul::comm::conformance
