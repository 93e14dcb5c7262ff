#include "longhaul/data/blend.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "data/blend_index.h"
#include "longhaul/core/error.h"
#include "longhaul/core/file.h"
#include "longhaul/core/json_text.h"
#include "longhaul/data/data_config.h"
#include "longhaul/data/indexed_dataset.h"

namespace longhaul {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kBlanks = " \t\r\n";
constexpr size_t kMostCorpora = 32766;  // numbered in 16 bits

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> found;
  for (size_t at = 0; (at = text.find_first_not_of(kBlanks, at)) != std::string_view::npos;) {
    const size_t end = std::min(text.find_first_of(kBlanks, at), text.size());
    found.emplace_back(text.substr(at, end - at));
    at = end;
  }
  return found;
}

// The number that the whole piece is; "nan" and "inf" are numbers too, of a kind that is refused later.
std::optional<double> number(const std::string& piece) {
  double value = 0;
  const auto [end, error] = std::from_chars(piece.data(), piece.data() + piece.size(), value);
  if (error == std::errc::invalid_argument || end != piece.data() + piece.size()) return std::nullopt;
  return error == std::errc() ? value : std::nan("");
}

std::vector<std::string> json_pieces(const Json& list, const std::string& file, const std::string& key) {
  if (list.is_null()) return {};
  if (list.is_string()) return words(list.get_ref<const std::string&>());
  if (!list.is_array())
    throw UserError("{}: {} must hold a list of weights and prefixes, but it is {}", key, file, json_text(list));
  std::vector<std::string> pieces;
  for (const Json& piece : list) {
    if (!piece.is_string() && !piece.is_number()) {
      throw UserError("{}: {} holds {} among its weights and prefixes: numbers and strings are meant", key, file,
                      json_text(piece));
    }
    pieces.push_back(piece.is_string() ? piece.get<std::string>() : json_text(piece));
    const std::string& text = pieces.back();
    if (text.find_first_not_of(kBlanks) == std::string::npos)
      throw UserError("{}: {} holds an empty prefix", key, file);
  }
  return pieces;
}

std::vector<std::string> file_pieces(const std::string& file, const std::string& key) {
  const std::string text = read_text(file);
  const size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string::npos || (text[first] != '[' && text[first] != '{')) return words(text);
  const Json json = json_or_null(text);
  if (json.is_null()) throw UserError("{}: {} begins like JSON, but is none", key, file);
  if (json.is_array()) return json_pieces(json, file, key);
  const std::string split = key.substr(key.rfind('.') + 1);
  if (!json.contains(split)) {
    throw UserError("{}: {} has no list \"{}\"; give one for each of the splits that it is used for (null: none)", key,
                    file, split);
  }
  return json_pieces(json.at(split), file, key);
}

Blend blend_of(const std::vector<std::string>& pieces, const std::string& key) {
  const auto is_number = [](const std::string& piece) { return number(piece).has_value(); };
  if (std::none_of(pieces.begin(), pieces.end(), is_number)) return {pieces, std::nullopt};
  Blend blend;
  blend.weights.emplace();
  for (size_t i = 0; i < pieces.size(); i += 2) {
    const auto weight = number(pieces[i]);
    if (!weight) {
      throw UserError(
          "{}: piece {}, \"{}\", should be a weight: give a weight before every prefix (\"0.3 A 0.7 B\") or before none; a "
          "prefix that looks like a number is written as ./{}",
          key, i + 1, pieces[i], pieces[i]);
    }
    if (!std::isfinite(*weight) || *weight <= 0) {
      throw UserError("{}: piece {}, the weight \"{}\", must be a number above 0; leave out what is not wanted", key,
                      i + 1, pieces[i]);
    }
    if (i + 1 == pieces.size()) throw UserError("{}: after the last weight, {}, no prefix follows", key, pieces[i]);
    blend.weights->push_back(*weight);
    blend.prefixes.push_back(pieces[i + 1]);
  }
  return blend;
}

// Weights whose sum is 1; of a single corpus without one, 1.
std::vector<double> shares(const Blend& blend, const std::string& key) {
  if (blend.weights) return normalized(*blend.weights);
  if (blend.prefixes.size() == 1) return {1.0};
  throw UserError(
      "{} names several corpora without weights, and data.replay needs their proportions: give each a weight, "
      "as in \"0.3 A 0.7 B\"",
      key);
}

}  // namespace

Blend parse_blend(std::string_view text, const std::string& key) {
  if (text.empty()) return {};
  std::error_code ignored;
  const std::string whole(text);
  if (std::filesystem::exists(dataset_prefix(whole) + ".idx", ignored)) return {{whole}, std::nullopt};
  const bool file = text.front() == '@';
  const std::vector<std::string> pieces = file ? file_pieces(whole.substr(1), key) : words(text);
  if (pieces.empty() && !file) throw UserError("{} is blank: name a prefix or a blend, or leave it out", key);
  if (pieces.size() > 2 * kMostCorpora)
    throw UserError("{}: {} pieces are more than {} corpora", key, pieces.size(), kMostCorpora);
  return blend_of(pieces, key);
}

Blend with_replay(const Blend& train, const Blend& replay, double fraction) {
  Blend mixed;
  mixed.weights.emplace();
  const auto add = [&](const Blend& blend, const std::string& key, double share) {
    const std::vector<double> weights = shares(blend, key);
    for (const double weight : weights) mixed.weights->push_back(share * weight);
    mixed.prefixes.insert(mixed.prefixes.end(), blend.prefixes.begin(), blend.prefixes.end());
  };
  add(train, "data.train", 1 - fraction);
  add(replay, "data.replay", fraction);
  return mixed;
}

Blends parse_blends(const DataConfig& config) {
  const Blend replay = parse_blend(config.replay, "data.replay");
  Blends blends;
  blends.train = parse_blend(config.train, "data.train");
  blends.cut = config.valid.empty() && config.test.empty();
  blends.valid = blends.cut ? blends.train : parse_blend(config.valid, "data.valid");
  blends.test = blends.cut ? blends.train : parse_blend(config.test, "data.test");
  if (replay.prefixes.empty()) return blends;
  if (blends.train.prefixes.empty())
    throw UserError("data.replay is mixed into data.train, but there is none: set data.train");
  blends.train = with_replay(blends.train, replay, config.replay_fraction);
  return blends;
}

std::vector<std::string> corpora(const DataConfig& config) {
  const Blends blends = parse_blends(config);
  std::vector<std::string> all;
  for (const Blend* blend : {&blends.train, &blends.valid, &blends.test}) {
    for (const std::string& prefix : blend->prefixes) {
      if (std::find(all.begin(), all.end(), prefix) == all.end()) all.push_back(prefix);
    }
  }
  return all;
}

}  // namespace longhaul
