// The loop of every fuzzer, after libFuzzer's: takes an input of the corpus, changes it, lets the reader read it, and
// keeps it in the corpus when the reader went where it had never been. The same seed gives the same inputs.
//
//   fuzz_idx --seconds 3600            until the time is up; prints the number of inputs
//   fuzz_idx --inputs 5000 --seed 7    so many; what the tests run
//   fuzz_idx --input FILE              one input from a file, to look at a failure
//
// An input that ends in anything but success or a UserError, that takes longer than ten seconds or that the sanitizers
// stop is written to failure-<program>, and the exit code is not 0.
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

#include "fuzz_target.h"
#include "longhaul/core/error.h"
#include "mutation.h"

extern "C" {
extern char __executable_start;
void __sanitizer_set_death_callback(void (*callback)());
// A reader that allocates what a damaged number says is at fault, even where the machine has so much.
const char* __asan_default_options() {
  return "max_allocation_size_mb=2000:allocator_may_return_null=0:detect_leaks=1:handle_abort=1";
}
// The two sanitizers have a runtime each: this way what the other one finds ends with the first one's report and
// callback.
const char* __ubsan_default_options() {
  return "abort_on_error=1:print_stacktrace=1";
}
}

namespace {

// One flag for each pair of places that the reader's code goes through in succession.
constexpr size_t kPlaces = size_t{1} << 18;
std::array<unsigned char, kPlaces> seen_now, seen_ever;
uintptr_t last_place = 0;

}  // namespace

// Compiled code calls this at each branch (-fsanitize-coverage=trace-pc).
extern "C" void __sanitizer_cov_trace_pc() {
  const auto place =
      reinterpret_cast<uintptr_t>(__builtin_return_address(0)) - reinterpret_cast<uintptr_t>(&__executable_start);
  const uintptr_t mixed = place * 0x9E3779B97F4A7C15ULL >> 32;
  seen_now[(mixed ^ last_place) % kPlaces] = 1;
  last_place = mixed >> 1;
}

namespace longhaul::fuzz {
namespace {

constexpr size_t kMostBytes = size_t{1} << 16;
constexpr unsigned kMostSeconds = 10;  // for one input

std::string program;
const std::string* current = nullptr;

void tell(const std::string& text) {
  if (::write(STDERR_FILENO, text.data(), text.size()) < 0) ::_exit(1);
}

void save_current() {
  if (current == nullptr) return;
  const std::string file = "failure-" + program;
  std::ofstream(file, std::ios::binary | std::ios::trunc) << *current;
  tell("\nthe input is in " + file + "\n");
}

void too_slow(int) {
  tell("the reader took longer than 10 seconds\n");
  save_current();
  ::_exit(1);
}

// Whether the reader went where it had never been.
bool read(const FuzzTarget& target, const std::string& input) {
  current = &input;
  seen_now.fill(0);
  last_place = 0;
  ::alarm(kMostSeconds);
  try {
    target.read(input);
  } catch (const UserError&) {
    // What a damaged file deserves.
  } catch (const std::exception& error) {
    tell(fmt::format("the reader failed with {}\n", error.what()));
    save_current();
    std::exit(1);
  }
  ::alarm(0);
  current = nullptr;
  bool fresh = false;
  for (size_t i = 0; i < kPlaces; i += sizeof(uint64_t)) {
    uint64_t now, ever;
    std::memcpy(&now, &seen_now[i], sizeof(now));
    std::memcpy(&ever, &seen_ever[i], sizeof(ever));
    fresh |= (now & ~ever) != 0;
    ever |= now;
    std::memcpy(&seen_ever[i], &ever, sizeof(ever));
  }
  return fresh;
}

struct Options {
  double seconds = 1e9;
  uint64_t inputs = UINT64_MAX;
  uint64_t seed = 1;
  std::string file;
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; i += 2) {
    const std::string name = argv[i], value = i + 1 < argc ? argv[i + 1] : "";
    if (name == "--seconds" && !value.empty())
      options.seconds = std::stod(value);
    else if (name == "--inputs" && !value.empty())
      options.inputs = std::stoull(value);
    else if (name == "--seed" && !value.empty())
      options.seed = std::stoull(value);
    else if (name == "--input" && !value.empty())
      options.file = value;
    else {
      fmt::print("usage: {} [--seconds S] [--inputs N] [--seed N] | --input FILE\n", program);
      std::exit(2);
    }
  }
  return options;
}

int run(const Options& options) {
  using Clock = std::chrono::steady_clock;
  const FuzzTarget target = fuzz_target();
  std::vector<std::string> corpus = target.seeds;
  for (const std::string& seed : corpus) read(target, seed);
  Random random(options.seed);
  const auto start = Clock::now();
  const auto seconds = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };
  uint64_t count = 0;
  for (double next_line = 60; count < options.inputs && seconds() < options.seconds; ++count) {
    // What was found last is where something new is nearest.
    const size_t latest = std::min<size_t>(corpus.size(), 32);
    const size_t chosen = random() % 2 == 0 ? random() % corpus.size() : corpus.size() - 1 - random() % latest;
    std::string input = mutated(corpus[chosen], corpus[random() % corpus.size()], target, random, kMostBytes);
    if (read(target, input)) corpus.push_back(std::move(input));
    if (seconds() > next_line) {
      fmt::print("{}: {} inputs, {} in the corpus, {:.0f} s\n", program, count + 1, corpus.size(), seconds());
      std::fflush(stdout);
      next_line = seconds() + 60;
    }
  }
  const auto places = std::count(seen_ever.begin(), seen_ever.end(), 1);
  fmt::print("{}: {} inputs without a failure in {:.0f} s, seed {}, {} in the corpus, {} branches seen\n", program,
             count, seconds(), options.seed, corpus.size(), places);
  return 0;
}

}  // namespace
}  // namespace longhaul::fuzz

int main(int argc, char** argv) {
  using namespace longhaul::fuzz;
  program = std::string(argv[0]).substr(std::string(argv[0]).rfind('/') + 1);
  __sanitizer_set_death_callback(save_current);
  ::signal(SIGALRM, too_slow);
  const Options options = parse(argc, argv);
  if (options.file.empty()) return run(options);
  std::ifstream in(options.file, std::ios::binary);
  const std::string input{std::istreambuf_iterator<char>(in), {}};
  read(fuzz_target(), input);
  fmt::print("{} bytes, read without a failure\n", input.size());
  return 0;
}
