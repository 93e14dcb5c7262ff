#include "data/tokenizer/sentencepiece_model.h"

#include <algorithm>
#include <tuple>
#include <unordered_map>

#include "data/tokenizer/base64.h"
#include "data/tokenizer/unicode.h"
#include "data/tokenizer/wire_reader.h"
#include "longhaul/core/error.h"

namespace longhaul::tokenizer {
namespace {

using nlohmann::json;

constexpr const char* kSpace = "▁";

enum PieceType { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6 };
enum ModelType { kUnigramModel = 1, kBpeModel = 2 };

struct Piece {
  std::string text;
  float score = 0;
  int type = kNormal;
};

// The parts of the file that matter, with the defaults of its schema.
struct Proto {
  std::vector<Piece> pieces;
  int model_type = kUnigramModel;
  bool byte_fallback = false;
  int32_t unk_id = 0, bos_id = 1, eos_id = 2, pad_id = -1;
  std::string unk_piece = "<unk>";
  std::string charsmap;
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;
};

class ProtoReader {
 public:
  explicit ProtoReader(const std::filesystem::path& file) : file_(file) {}

  Proto read(std::string_view bytes) {
    for_each(bytes, [&](const WireReader::Field& field) {
      if (field.number == 1) proto_.pieces.push_back(piece(field.bytes));
      if (field.number == 2) trainer(field.bytes);
      if (field.number == 3) normalizer(field.bytes);
    });
    if (proto_.pieces.empty()) refuse();
    return std::move(proto_);
  }

 private:
  template <typename Use>
  void for_each(std::string_view message, Use&& use) {
    WireReader reader(message);
    while (const auto field = reader.next()) use(*field);
    if (reader.damaged()) refuse();
  }
  [[noreturn]] void refuse() const {
    throw UserError("{}: not a SentencePiece model, or damaged or cut off. Get the file again.", file_.string());
  }

  std::string text(const WireReader::Field& field) const {
    if (!valid_utf8(field.bytes)) refuse();
    return std::string(field.bytes);
  }

  Piece piece(std::string_view message) {
    Piece piece;
    for_each(message, [&](const WireReader::Field& field) {
      if (field.number == 1) piece.text = text(field);
      if (field.number == 2) piece.score = field.real();
      if (field.number == 3) piece.type = static_cast<int>(field.integer);
    });
    return piece;
  }
  void trainer(std::string_view message) {
    for_each(message, [&](const WireReader::Field& field) {
      const auto number = static_cast<int32_t>(field.integer);
      if (field.number == 3) proto_.model_type = number;
      if (field.number == 35) proto_.byte_fallback = number != 0;
      if (field.number == 40) proto_.unk_id = number;
      if (field.number == 41) proto_.bos_id = number;
      if (field.number == 42) proto_.eos_id = number;
      if (field.number == 43) proto_.pad_id = number;
      if (field.number == 45) proto_.unk_piece = text(field);
    });
  }
  void normalizer(std::string_view message) {
    for_each(message, [&](const WireReader::Field& field) {
      if (field.number == 2) proto_.charsmap = field.bytes;
      if (field.number == 3) proto_.add_dummy_prefix = field.integer != 0;
      if (field.number == 4) proto_.remove_extra_whitespaces = field.integer != 0;
      if (field.number == 5) proto_.escape_whitespaces = field.integer != 0;
    });
  }

  const std::filesystem::path& file_;
  Proto proto_;
};

json replace(const json& pattern, const char* content) {
  return {{"type", "Replace"}, {"pattern", pattern}, {"content", content}};
}
json regex(const std::string& pattern) {
  return {{"Regex", pattern}};
}

json normalizer(const Proto& proto, const SentencePieceSettings& settings) {
  json parts = json::array();
  if (!proto.charsmap.empty()) {
    parts.push_back({{"type", "Precompiled"}, {"precompiled_charsmap", encode_base64(proto.charsmap)}});
  }
  if (proto.remove_extra_whitespaces) {
    parts.push_back(replace(regex("\\A +| +\\z"), ""));
    parts.push_back(replace(regex(" {2,}"), " "));
  }
  if (proto.escape_whitespaces) parts.push_back(replace({{"String", " "}}, kSpace));
  // The pre-tokenizer puts no space before a text that has one; SentencePiece does.
  if (proto.add_dummy_prefix && settings.prefix_everywhere) parts.push_back(replace(regex("\\A▁"), "▁▁"));
  return {{"type", "Sequence"}, {"normalizers", parts}};
}

// Pieces of the user are never merged with anything, the longest first.
std::string user_pattern(const Proto& proto) {
  std::vector<std::string> pieces;
  for (const Piece& piece : proto.pieces) {
    if (piece.type == kUserDefined) pieces.push_back(piece.text);
  }
  std::stable_sort(pieces.begin(), pieces.end(), [](const auto& a, const auto& b) { return a.size() > b.size(); });
  std::string pattern;
  for (const std::string& piece : pieces) {
    if (!pattern.empty()) pattern += '|';
    for (const char c : piece) {
      if (std::string_view("\\^$.|?*+()[]{}-#&~ ").find(c) != std::string_view::npos) pattern += '\\';
      pattern += c;
    }
  }
  return pattern;
}

json pre_tokenizer(const Proto& proto, const SentencePieceSettings& settings) {
  json parts = json::array();
  if (proto.add_dummy_prefix) {
    parts.push_back({{"type", "Metaspace"},
                     {"replacement", kSpace},
                     {"prepend_scheme", settings.prefix_everywhere ? "always" : "first"},
                     {"split", false}});
  }
  if (const std::string pattern = user_pattern(proto); !pattern.empty()) {
    parts.push_back({{"type", "Split"}, {"pattern", regex(pattern)}, {"behavior", "Isolated"}, {"invert", false}});
  }
  if (parts.empty()) return nullptr;
  return {{"type", "Sequence"}, {"pretokenizers", parts}};
}

json decoder(const Proto& proto) {
  json parts = json::array({replace({{"String", kSpace}}, " ")});
  if (proto.byte_fallback) parts.push_back({{"type", "ByteFallback"}});
  if (proto.byte_fallback || proto.add_dummy_prefix) parts.push_back({{"type", "Fuse"}});
  if (proto.add_dummy_prefix) parts.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  return {{"type", "Sequence"}, {"decoders", parts}};
}

// Any two pieces that together are a piece can be merged; the score of what they become tells when.
json merges(const Proto& proto) {
  std::unordered_map<std::string_view, size_t> normal;
  for (size_t id = 0; id < proto.pieces.size(); ++id) {
    if (proto.pieces[id].type == kNormal) normal[proto.pieces[id].text] = id;
  }
  std::vector<std::tuple<float, size_t, std::string_view, std::string_view>> ranked;
  for (const auto& [text, id] : normal) {
    for (size_t at = decode_utf8(text.data()).bytes; at < text.size(); at += decode_utf8(text.data() + at).bytes) {
      if (!normal.contains(text.substr(0, at)) || !normal.contains(text.substr(at))) continue;
      ranked.emplace_back(-proto.pieces[id].score, id, text.substr(0, at), text.substr(at));
    }
  }
  std::sort(ranked.begin(), ranked.end());
  json merges = json::array();
  for (const auto& [score, id, left, right] : ranked) merges.push_back({left, right});
  return merges;
}

json model(const Proto& proto, const std::filesystem::path& file) {
  if (proto.model_type == kUnigramModel) {
    json vocabulary = json::array();
    for (const Piece& piece : proto.pieces) vocabulary.push_back({piece.text, static_cast<double>(piece.score)});
    return {{"type", "Unigram"},
            {"unk_id", proto.unk_id},
            {"byte_fallback", proto.byte_fallback},
            {"vocab", std::move(vocabulary)}};
  }
  if (proto.model_type != kBpeModel) {
    throw UserError(
        "{}: its model cuts texts into words or characters; Longhaul reads the kinds unigram and bpe. Train the "
        "tokenizer again as one of those.",
        file.string());
  }
  json vocabulary = json::object();
  for (size_t id = 0; id < proto.pieces.size(); ++id) vocabulary[proto.pieces[id].text] = id;
  return {{"type", "BPE"},
          {"unk_token", proto.unk_piece},
          {"fuse_unk", true},
          {"byte_fallback", proto.byte_fallback},
          {"ignore_merges", !user_pattern(proto).empty()},
          {"vocab", std::move(vocabulary)},
          {"merges", merges(proto)}};
}

std::optional<int32_t> known_id(const Proto& proto, int32_t id) {
  return id >= 0 && static_cast<size_t>(id) < proto.pieces.size() ? std::optional(id) : std::nullopt;
}

json post_processor(const Proto& proto, const SentencePieceSettings& settings) {
  json single = json::array();
  json special = json::object();
  const auto add = [&](bool wanted, int32_t id) {
    if (!wanted || !known_id(proto, id)) return;
    const std::string& token = proto.pieces[static_cast<size_t>(id)].text;
    single.push_back({{"SpecialToken", {{"id", token}, {"type_id", 0}}}});
    special[token] = {{"id", token}, {"ids", {id}}, {"tokens", {token}}};
  };
  add(settings.add_bos, proto.bos_id);
  single.push_back({{"Sequence", {{"id", "A"}, {"type_id", 0}}}});
  add(settings.add_eos, proto.eos_id);
  return {{"type", "TemplateProcessing"}, {"single", single}, {"special_tokens", special}};
}

json added_tokens(const Proto& proto) {
  json added = json::array();
  for (size_t id = 0; id < proto.pieces.size(); ++id) {
    const Piece& piece = proto.pieces[id];
    if (piece.type != kControl && piece.type != kUnknown) continue;
    added.push_back({{"id", id}, {"content", piece.text}, {"normalized", false}, {"special", true}});
  }
  return added;
}

}  // namespace

SentencePieceModel read_sentencepiece_model(std::string_view bytes, const SentencePieceSettings& settings,
                                            const std::filesystem::path& file) {
  const Proto proto = ProtoReader(file).read(bytes);
  return {{{"version", "1.0"},
           {"added_tokens", added_tokens(proto)},
           {"normalizer", normalizer(proto, settings)},
           {"pre_tokenizer", pre_tokenizer(proto, settings)},
           {"post_processor", post_processor(proto, settings)},
           {"decoder", decoder(proto)},
           {"model", model(proto, file)}},
          known_id(proto, proto.bos_id),
          known_id(proto, proto.eos_id),
          known_id(proto, proto.pad_id)};
}

}  // namespace longhaul::tokenizer
