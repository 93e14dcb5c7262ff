// What `data.train`, `data.valid`, `data.test` and `data.replay` name: one corpus, or a blend of several.
//
//   "data/a"                        one corpus
//   "0.3 data/a 0.7 data/b"         a blend: of 10 samples 3 come from a and 7 from b, whatever their sizes
//   "data/a data/b"                 a blend by size, in which every corpus is read once
//   "@blend.json", "@blend.txt"     the same pieces from a file: a JSON list, or text with blanks between
//
// This is the syntax of Megatron's --data-path and --data-args-path. A JSON file may also be an object with a list for
// each of "train", "valid" and "test" (--per-split-data-args-path).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace longhaul {

struct DataConfig;

struct Blend {
  std::vector<std::string> prefixes;
  std::optional<std::vector<double>> weights;  // one a prefix, as given, finite and above 0; none: by size
  bool operator==(const Blend&) const = default;
};

// Reads the value of `key` ("data.train", …). Empty, or null in the file: no prefix. A text whose .idx file exists is
// one prefix, whatever blanks are in it. Throws UserError, naming the key and the piece, for weights that are not above
// 0, for weights and prefixes that don't alternate, and for a file that can't be read.
Blend parse_blend(std::string_view text, const std::string& key);

// `train` with a share `fraction` of its samples from `replay` instead; each keeps its proportions. Throws UserError
// when one of the two names several corpora without weights: how a corpus that is read once shares with another is not
// defined.
Blend with_replay(const Blend& train, const Blend& replay, double fraction);

// What the three datasets of a configuration are made of; no prefixes: there is none.
struct Blends {
  Blend train;  // with the replay
  Blend valid;
  Blend test;
  bool cut = false;  // data.split cuts all of them out of data.train
};
Blends parse_blends(const DataConfig& config);

// Every corpus that a run with this configuration reads, each once.
std::vector<std::string> corpora(const DataConfig& config);

}  // namespace longhaul
