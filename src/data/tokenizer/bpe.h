// Byte pair encoding: a word starts as its characters (or bytes), and the adjacent pair with the lowest rank
// is merged, leftmost first, until no pair has a merge. (Sennrich et al., "Neural machine translation of rare
// words with subword units", 2016; byte-level after GPT-2; byte fallback after SentencePiece.)
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "data/tokenizer/merge_table.h"
#include "data/tokenizer/model.h"

namespace longhaul::tokenizer {

struct BpeConfig {
  Vocabulary vocabulary;
  MergeTable merges{0};
  std::optional<std::string> unknown_token;  // for characters without a token; none: they are dropped
  bool fuse_unknown = false;                 // several of them in a row become one
  bool byte_fallback = false;  // such characters become their bytes, "<0x00>" … "<0xFF>", where those exist
  // What the first symbols of a word are looked up with: the prefix before all characters but a word's first,
  // the suffix behind its last.
  std::string continuing_prefix;
  std::string end_suffix;
  bool ignore_merges = false;  // a word that is a token is that token, whatever the merges say
  // No merge makes a token that has "▁" behind another character, so a word can be cut before each "▁".
  bool cut_at_metaspace = false;
};

std::unique_ptr<Model> make_bpe(BpeConfig config);

}  // namespace longhaul::tokenizer
