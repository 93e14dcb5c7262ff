#include "longhaul/recipes/batch_schedule.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <string_view>

#include "longhaul/core/error.h"

namespace longhaul {
namespace {

using Stage = BatchSchedule::Stage;

constexpr double kMost = 1e18;

// "768", "250B", "1.5T": a decimal number and K, M, B or T, multiplied in floating point, as Megatron-LM does.
// Negative: it is none.
double count_of(std::string_view text) {
  double number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc() || !(number >= 0)) return -1;
  const std::string_view suffix(end, text.data() + text.size() - end);
  constexpr std::string_view kSuffixes = "KMBT";
  if (suffix.size() > 1) return -1;
  if (!suffix.empty()) {
    const size_t place = kSuffixes.find(suffix[0]);
    if (place == std::string_view::npos) return -1;
    constexpr double kFactors[] = {1e3, 1e6, 1e9, 1e12};
    number *= kFactors[place];
  }
  return number <= kMost ? number : -1;
}

// "0:768 250B:1536", with spaces or commas between: from so many tokens on, so many sequences.
std::vector<Stage> given_stages(const std::string& text, int64_t sequence_length) {
  constexpr std::string_view kBetween = " ,";
  std::vector<Stage> stages;
  for (size_t begin = text.find_first_not_of(kBetween); begin != std::string::npos;) {
    const size_t end = std::min(text.find_first_of(kBetween, begin), text.size());
    const std::string_view entry = std::string_view(text).substr(begin, end - begin);
    const size_t colon = entry.find(':');
    const double tokens = colon == std::string_view::npos ? -1 : count_of(entry.substr(0, colon));
    const double batch = colon == std::string_view::npos ? -1 : count_of(entry.substr(colon + 1));
    if (tokens < 0 || batch < 1 || batch != std::floor(batch)) {
      throw UserError(
          "batch.schedule has \"{}\": write TOKENS:SEQUENCES, as in \"0:768 250B:1536\" (K, M, B and T stand for "
          "thousands to trillions; sequences are whole)",
          entry);
    }
    stages.push_back({static_cast<int64_t>(tokens) / sequence_length, static_cast<int64_t>(batch)});
    begin = text.find_first_not_of(kBetween, end);
  }
  std::ranges::stable_sort(stages, {}, &Stage::first_sample);
  if (stages.empty() || stages.front().first_sample != 0) {
    throw UserError("batch.schedule \"{}\" does not say how the run begins: give a first entry 0:SEQUENCES", text);
  }
  for (size_t i = 1; i < stages.size(); ++i) {
    if (stages[i].first_sample == stages[i - 1].first_sample) {
      throw UserError(
          "batch.schedule \"{}\" has {} and {} sequences at the same sample, {}, of {} tokens a sample: leave one out",
          text, stages[i - 1].batch, stages[i].batch, stages[i].first_sample, sequence_length);
    }
    if (stages[i].batch < stages[i - 1].batch) {
      throw UserError("batch.schedule \"{}\" goes from {} down to {} sequences: a batch can only grow", text,
                      stages[i - 1].batch, stages[i].batch);
    }
  }
  return stages;
}

std::vector<Stage> rampup_stages(const BatchConfig& b) {
  if (b.rampup_increment == 0 || b.rampup_samples == 0) {
    throw UserError(
        "batch.rampup_start {} needs batch.rampup_increment and batch.rampup_samples: set them, or leave all three out",
        b.rampup_start);
  }
  if (b.rampup_start >= b.global || (b.global - b.rampup_start) % b.rampup_increment != 0) {
    throw UserError(
        "batch.rampup_start {} and increments of {} do not lead to batch.global {}: choose a smaller batch.rampup_start, and a "
        "batch.rampup_increment that divides what lies between the two",
        b.rampup_start, b.rampup_increment, b.global);
  }
  const int64_t increments = (b.global - b.rampup_start) / b.rampup_increment;
  // Megatron-LM divides in floating point: so do we, for the same steps.
  const double samples_an_increment = static_cast<double>(b.rampup_samples) / static_cast<double>(increments);
  const auto increments_at = [&](int64_t sample) {
    return sample > b.rampup_samples ? increments
                                     : static_cast<int64_t>(static_cast<double>(sample) / samples_an_increment);
  };
  std::vector<Stage> stages{{0, b.rampup_start}};
  for (int64_t i = 1; i <= increments; ++i) {
    auto first = static_cast<int64_t>(samples_an_increment * static_cast<double>(i));
    while (first > 0 && increments_at(first - 1) >= i) --first;
    while (increments_at(first) < i) ++first;
    const int64_t batch = b.rampup_start + i * b.rampup_increment;
    if (stages.back().first_sample == first) stages.pop_back();  // fewer samples than increments
    stages.push_back({first, batch});
  }
  return stages;
}

std::vector<Stage> stages_of(const BatchConfig& b, int64_t sequence_length) {
  if (b.rampup_start == 0 && (b.rampup_increment != 0 || b.rampup_samples != 0)) {
    throw UserError(
        "batch.rampup_increment and batch.rampup_samples need batch.rampup_start, the first steps' batch: set it, or leave all three out");
  }
  if (!b.schedule.empty()) {
    if (b.rampup_start != 0)
      throw UserError("batch.schedule and batch.rampup_start both say how the batch grows: leave one of them out");
    return given_stages(b.schedule, sequence_length);
  }
  return b.rampup_start != 0 ? rampup_stages(b) : std::vector<Stage>{{0, b.global}};
}

}  // namespace

int64_t largest_micro_batch(int64_t most, int64_t sequences) {
  constexpr int64_t kLargest = 1 << 20;  // worth a search
  int64_t micro = std::min({most, sequences, kLargest});
  while (sequences % micro != 0) --micro;
  return micro;
}

BatchSchedule::BatchSchedule(const BatchConfig& batch, int64_t sequence_length) {
  LONGHAUL_CHECK(sequence_length >= 1 && batch.micro >= 1, "a batch of samples of {} tokens", sequence_length);
  stages_ = stages_of(batch, sequence_length);
  if (stages_.back().batch != batch.global) {
    throw UserError("batch.schedule \"{}\" ends with {} sequences, but batch.global is {}: set batch.global={}",
                    batch.schedule, stages_.back().batch, batch.global, stages_.back().batch);
  }
  for (const Stage& stage : stages_) {
    if (stage.batch % batch.micro == 0) continue;
    const int64_t micro = largest_micro_batch(batch.micro, common());
    if (stages_.size() == 1) {
      throw UserError(
          "batch.global {} does not divide by batch.micro {}: choose batch.micro={}, or a batch.global that is a multiple of {}",
          stage.batch, batch.micro, micro, batch.micro);
    }
    throw UserError(
        "{} has batches of {} sequences, which do not divide by batch.micro {}: choose batch.micro={}, or batches that are multiples of {}",
        batch.schedule.empty() ? "batch.rampup_start" : "batch.schedule", stage.batch, batch.micro, micro, batch.micro);
  }
}

size_t BatchSchedule::stage_at(int64_t consumed) const {
  const auto next = std::ranges::upper_bound(stages_, consumed, {}, &Stage::first_sample);
  return static_cast<size_t>(next - stages_.begin()) - 1;
}

int64_t BatchSchedule::global_at(int64_t consumed) const {
  return stages_[stage_at(consumed)].batch;
}

int64_t BatchSchedule::common() const {
  int64_t common = 0;
  for (const Stage& stage : stages_) common = std::gcd(common, stage.batch);
  return common;
}

int64_t BatchSchedule::samples_of_steps(int64_t consumed, int64_t steps) const {
  const int64_t before = consumed;
  while (steps > 0) {
    const size_t stage = stage_at(consumed);
    const int64_t batch = stages_[stage].batch;
    int64_t taken = steps;
    if (stage + 1 < stages_.size()) {
      const int64_t to_next = stages_[stage + 1].first_sample - consumed;
      taken = std::min(steps, (to_next + batch - 1) / batch);
    }
    consumed += taken * batch;
    steps -= taken;
  }
  return consumed - before;
}

int64_t BatchSchedule::steps_of_samples(int64_t samples) const {
  int64_t steps = 0, consumed = 0;
  while (true) {
    const size_t stage = stage_at(consumed);
    const int64_t batch = stages_[stage].batch, enough_for = (samples - consumed) / batch;
    if (stage + 1 == stages_.size()) return steps + enough_for;
    const int64_t to_next = (stages_[stage + 1].first_sample - consumed + batch - 1) / batch;
    if (enough_for < to_next) return steps + enough_for;
    steps += to_next;
    consumed += to_next * batch;
  }
}

}  // namespace longhaul
