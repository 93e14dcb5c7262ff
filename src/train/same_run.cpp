#include "train/same_run.h"

#include <unistd.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <string>
#include <thread>

#include "longhaul/core/config/json.h"
#include "longhaul/core/error.h"
#include "longhaul/core/file.h"
#include "longhaul/core/json_text.h"

namespace longhaul {
namespace {

namespace fs = std::filesystem;

// By JSON pointer. What a machine may have its own way is left out: the places of files, which the order of the samples
// stands for, and threads.
nlohmann::ordered_json settings_of(const Recipe& recipe) {
  static const std::set<std::string> kOwn{"/name",           "/description",     "/model/from",     "/data/train",
                                          "/data/valid",     "/data/test",       "/data/replay",    "/data/cache_dir",
                                          "/data/tokenizer", "/trainer/run_dir", "/trainer/threads"};
  nlohmann::ordered_json settings = write_json(fields<Recipe>(), &recipe).flatten();
  for (const std::string& key : kOwn) settings.erase(key);
  return settings;
}

std::string key_of(std::string pointer) {
  pointer.erase(0, 1);
  for (char& c : pointer) {
    if (c == '/') c = '.';
  }
  return pointer;
}

void refuse_difference(const nlohmann::ordered_json& first, const nlohmann::ordered_json& other, size_t rank) {
  for (const auto& [pointer, value] : first.items()) {
    const auto found = other.find(pointer);
    if (found != other.end() && *found == value) continue;
    throw UserError("{} is {} on rank 0, but {} on rank {}: start all ranks with the same recipe and the same settings",
                    key_of(pointer), lenient_json_text(value),
                    found == other.end() ? "missing" : lenient_json_text(*found), rank);
  }
  if (other.size() != first.size())
    throw UserError("rank {} has settings that rank 0 has not: start all ranks with the same program and recipe", rank);
}

// Calls `refuse`, which throws, on all ranks for the first whose text is another than rank 0's.
void compare_with_leader(
    comm::Communicator* ranks, std::string_view text,
    const std::function<void(const std::string& leader, const std::string& other, size_t rank)>& refuse) {
  if (ranks == nullptr) return;
  const auto texts = comm::all_gather_text(ranks, text);
  comm::all_or_none(ranks, [&] {
    for (size_t rank = 1; rank < texts.size(); ++rank) {
      if (texts[rank] != texts[0]) refuse(texts[0], texts[rank], rank);
    }
  });
}

std::string new_token() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}-{}", random(), random(), ::getpid());
}

}  // namespace

void require_same_settings(const Recipe& recipe, comm::Communicator* ranks) {
  compare_with_leader(ranks, lenient_json_text(settings_of(recipe)),
                      [](const std::string& leader, const std::string& other, size_t rank) {
                        refuse_difference(read_ordered_json_text(leader, "rank 0"),
                                          read_ordered_json_text(other, "another rank"), rank);
                      });
}

void require_same_order(std::string_view order, comm::Communicator* ranks) {
  compare_with_leader(ranks, order, [](const std::string&, const std::string&, size_t rank) {
    throw UserError(
        "rank {} reads other training data than rank 0, or a blend with other weights: give all ranks the same data.train (and "
        "data.valid, data.replay), and compare the files with `llm-pretrain inspect data PREFIX --verify`",
        rank);
  });
}

void require_shared_folder(const fs::path& folder, comm::Communicator* ranks, const comm::RankHosts& hosts,
                           std::chrono::milliseconds patience) {
  if (ranks == nullptr) return;
  // A name that nobody has asked for yet, and that no file system has remembered as missing.
  const std::string name = comm::text_of_leader(ranks, ".ranks-" + new_token());
  const fs::path file = folder / name;
  comm::all_or_none(ranks, [&] {
    if (comm::leads(ranks)) write_text(file, "");
  });
  comm::all_or_none(ranks, [&] {
    const auto end = std::chrono::steady_clock::now() + patience;
    std::error_code ignored;
    while (!fs::exists(file, ignored)) {
      if (std::chrono::steady_clock::now() > end) {
        throw UserError(
            "rank {} on {} does not see the run folder {} that rank 0 has made (its own working directory is {}): all ranks must "
            "reach one folder, on a file system that they share. Give trainer.run_dir as an absolute path to one",
            ranks->rank(), hosts.names()[static_cast<size_t>(ranks->rank())], folder.string(),
            fs::current_path().string());
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  });
  std::error_code ignored;
  if (comm::leads(ranks)) fs::remove(file, ignored);
}

}  // namespace longhaul
