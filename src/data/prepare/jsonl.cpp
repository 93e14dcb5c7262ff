#include "longhaul/data/jsonl.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace longhaul {
namespace {

// Keeps the wanted strings of the outermost object and lets everything else pass by.
class TextCollector : public nlohmann::json_sax<nlohmann::json> {
 public:
  TextCollector(const std::vector<std::string>& keys, KeyTexts& texts) : keys_(keys), texts_(texts) {
    texts_.resize(keys.size());
    for (auto& list : texts_) list.clear();
    found_.assign(keys.size(), false);
  }

  // What is wrong; empty when nothing is.
  std::string problem() {
    if (!problem_.empty()) return problem_;
    for (size_t i = 0; i < keys_.size(); ++i) {
      if (!found_[i]) return fmt::format("the object has no key \"{}\"", keys_[i]);
    }
    return {};
  }

  bool null() override { return other("null"); }
  bool boolean(bool) override { return other("a boolean"); }
  bool number_integer(number_integer_t) override { return other("a number"); }
  bool number_unsigned(number_unsigned_t) override { return other("a number"); }
  bool number_float(number_float_t, const string_t&) override { return other("a number"); }
  bool binary(binary_t&) override { return other("binary"); }

  bool string(string_t& value) override {
    if (depth_ == 0) return refuse("is a string");
    if (wanted_ && (depth_ == 1 || (depth_ == 2 && in_list_))) texts_[*wanted_].push_back(std::move(value));
    return true;
  }
  bool key(string_t& name) override {
    if (depth_ != 1) return true;
    const auto at = std::find(keys_.begin(), keys_.end(), name);
    wanted_.reset();
    if (at != keys_.end()) {
      wanted_ = static_cast<size_t>(at - keys_.begin());
      found_[*wanted_] = true;
      texts_[*wanted_].clear();
    }
    return true;
  }
  bool start_object(size_t) override {
    if (depth_ > 0 && !other("an object")) return false;
    ++depth_;
    return true;
  }
  bool end_object() override {
    --depth_;
    return true;
  }
  bool start_array(size_t) override {
    if (depth_ == 0) return refuse("is a list");
    if (wanted_ && depth_ == 2 && in_list_) return other("a list");
    if (depth_ == 1) in_list_ = true;
    ++depth_;
    return true;
  }
  bool end_array() override {
    if (--depth_ == 1) in_list_ = false;
    return true;
  }
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception& error) override {
    // "[json.exception.parse_error.101] parse error at line 1, column 3: syntax error …": keep the end.
    std::string_view what = error.what();
    const size_t column = what.find(", column ");
    const size_t colon = column == std::string_view::npos ? column : what.find(": ", column);
    if (colon != std::string_view::npos) what.remove_prefix(colon + 2);
    problem_ = fmt::format("not valid JSON at character {} of the line: {}", position, what);
    return false;
  }

 private:
  // A value that is no string, where only a string (or a list of them) will do.
  bool other(std::string_view kind) {
    if (depth_ == 0) return refuse(fmt::format("is {}", kind));
    if (wanted_ && depth_ == 1) {
      problem_ =
          fmt::format("the value of \"{}\" is {}, not a string or a list of strings", keys_[*wanted_], kind);
      return false;
    }
    if (wanted_ && depth_ == 2 && in_list_) {
      problem_ = fmt::format("the list \"{}\" holds {}, not only strings", keys_[*wanted_], kind);
      return false;
    }
    return true;
  }
  bool refuse(std::string_view what) {
    problem_ = fmt::format("the line {}, not an object with the key \"{}\"", what, keys_.front());
    return false;
  }

  const std::vector<std::string>& keys_;
  KeyTexts& texts_;
  std::vector<bool> found_;
  std::optional<size_t> wanted_;  // the key of the outermost object that is being read, if it is asked for
  int depth_ = 0;
  bool in_list_ = false;  // inside a list that is a value of the outermost object
  std::string problem_;
};

}  // namespace

std::optional<std::string> parse_json_line(std::string_view line, const std::vector<std::string>& keys,
                                           KeyTexts& texts) {
  if (line.find_first_not_of(" \t\r") == std::string_view::npos) return "the line is blank";
  TextCollector collector(keys, texts);
  nlohmann::json::sax_parse(line.begin(), line.end(), &collector);
  std::string problem = collector.problem();
  if (problem.empty()) return std::nullopt;
  return problem;
}

std::string describe(const LinePlace& place) {
  return fmt::format("{}, line {} (byte {})", place.file, place.line, place.byte);
}

}  // namespace longhaul
