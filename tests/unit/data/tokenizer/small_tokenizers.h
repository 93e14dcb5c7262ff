// Tokenizers for tests, written as JSON on the spot.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "data/tokenizer/byte_level.h"
#include "longhaul/data/tokenizer/tokenizer.h"

namespace longhaul::tokenizer {

// A byte-level BPE: the 256 letters, then "ab", "abc" and " t" ("Ġt").
inline nlohmann::json byte_level_json() {
  nlohmann::json vocabulary;
  for (int byte = 0; byte < 256; ++byte) vocabulary[byte_letters()[byte]] = byte;
  vocabulary["ab"] = 256;
  vocabulary["abc"] = 257;
  vocabulary["Ġt"] = 258;
  return {{"version", "1.0"},
          {"added_tokens", nlohmann::json::array()},
          {"normalizer", nullptr},
          {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}}},
          {"post_processor", nullptr},
          {"decoder", {{"type", "ByteLevel"}}},
          {"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", {"a b", "ab c", "Ġ t"}}}}};
}

// A folder that is gone at the end of the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "longhaul-test-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::filesystem::path write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name) << text;
    return path_ / name;
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline std::shared_ptr<const Tokenizer> make_tokenizer(const nlohmann::json& json) {
  const TemporaryFolder folder;
  return Tokenizer::from_file(folder.write("tokenizer.json", json.dump()));
}

}  // namespace longhaul::tokenizer
