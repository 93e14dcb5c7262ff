#include "data/prepare/quarantine.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "data/tokenizer/base64.h"
#include "data/tokenizer/unicode.h"
#include "longhaul/core/json_text.h"
#include "longhaul/core/log.h"

namespace longhaul {
namespace {

constexpr int64_t kShown = 5;

// A line of JSON. `line` is null where it isn't known; bytes that are no UTF-8 come as base64.
std::string record(const BadLine& bad) {
  nlohmann::ordered_json json{
      {"file", bad.place.file}, {"line", nullptr}, {"byte", bad.place.byte}, {"reason", bad.reason}};
  if (bad.place.line > 0) json["line"] = bad.place.line;
  if (tokenizer::valid_utf8(bad.raw)) {
    json["raw"] = bad.raw;
  } else {
    json["raw_base64"] = tokenizer::encode_base64(bad.raw);
  }
  return lenient_json_text(json) + "\n";
}

}  // namespace

Quarantine::Quarantine(std::optional<std::filesystem::path> file, int64_t lines, int64_t bytes) : lines_(lines) {
  if (file) file_.emplace(*std::move(file), bytes);
}

void Quarantine::add(const std::vector<BadLine>& lines) {
  for (const BadLine& bad : lines) {
    ++lines_;
    if (shown_++ < kShown) log::warning("skipped {}: {}", describe(bad.place), bad.reason);
    if (file_) file_->write(record(bad));
  }
}

void Quarantine::sync() {
  if (file_) file_->sync();
}

void Quarantine::finish() const {
  if (shown_ > kShown)
    log::warning("skipped {} bad lines or files in all; the first {} are named above", lines_, kShown);
}

}  // namespace longhaul
