#include "data/fill_in_the_middle.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "longhaul/core/error.h"

namespace longhaul {
namespace {

int32_t id_of(const Tokenizer& tokenizer, const std::string& token, std::string_view key) {
  const std::optional<int32_t> id = tokenizer.token_to_id(token);
  if (!id) {
    throw UserError(
        "data.fim.{} is \"{}\", but the tokenizer has no such token: set it to the token that this tokenizer has for it, "
        "or set data.fim.rate=0",
        key, token);
  }
  return *id;
}

// Calls use(part) for the runs of ids that `separator` stands between, but for empty ones, and appends the separators.
template <typename Use>
void for_each_part(std::span<const int32_t> ids, int32_t separator, std::vector<int32_t>& out, const Use& use) {
  while (true) {
    const auto end = static_cast<size_t>(std::find(ids.begin(), ids.end(), separator) - ids.begin());
    if (end > 0) use(ids.first(end));
    if (end == ids.size()) return;
    out.push_back(separator);
    ids = ids.subspan(end + 1);
  }
}

// Where the characters of a text in UTF-8 begin, and its end.
std::vector<size_t> character_borders(std::string_view text) {
  std::vector<size_t> borders;
  for (size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) borders.push_back(i);
  }
  borders.push_back(text.size());
  return borders;
}

}  // namespace

FillInTheMiddle::FillInTheMiddle(std::shared_ptr<const Tokenizer> tokenizer, const FimConfig& config, int32_t eod_id)
    : tokenizer_(std::move(tokenizer)),
      config_(config),
      eod_(eod_id),
      prefix_(id_of(*tokenizer_, config.prefix_token, "prefix_token")),
      middle_(id_of(*tokenizer_, config.middle_token, "middle_token")),
      suffix_(id_of(*tokenizer_, config.suffix_token, "suffix_token")) {
  if (!config.split_sample.empty()) split_ = id_of(*tokenizer_, config.split_sample, "split_sample");
}

std::vector<int32_t> FillInTheMiddle::rearranged(std::span<const int32_t> ids, RandomState& random) const {
  Ids out;
  out.reserve(ids.size() + 16);
  for_each_part(ids, eod_, out, [&](std::span<const int32_t> document) { add_document(document, random, out); });
  return out;
}

void FillInTheMiddle::add_document(std::span<const int32_t> ids, RandomState& random, Ids& out) const {
  if (!split_ || std::find(ids.begin(), ids.end(), *split_) == ids.end()) {
    add_part(ids, config_.rate, random, out);
  } else if (!random.bernoulli(config_.rate)) {
    out.insert(out.end(), ids.begin(), ids.end());
  } else {
    for_each_part(ids, *split_, out,
                  [&](std::span<const int32_t> part) { add_part(part, config_.fragment_rate, random, out); });
  }
}

void FillInTheMiddle::add_part(std::span<const int32_t> ids, double rate, RandomState& random, Ids& out) const {
  const auto add = [&](std::span<const int32_t> some) { out.insert(out.end(), some.begin(), some.end()); };
  if (!random.bernoulli(rate)) return add(ids);
  // Special tokens have no text. The one that begins documents goes on doing so; Megatron loses it.
  const bool begins = tokenizer_->bos_id() && ids.front() == *tokenizer_->bos_id();
  const std::string text = tokenizer_->decode(ids.subspan(begins ? 1 : 0), /*skip_special_tokens=*/true);
  if (!config_.no_prefix.empty() && text.starts_with(config_.no_prefix)) return add(ids);

  const std::vector<size_t> borders = character_borders(text);
  std::array<int64_t, 2> cuts{};
  for (int64_t& cut : cuts) cut = random.randint(0, static_cast<int64_t>(borders.size()));
  std::sort(cuts.begin(), cuts.end());
  const size_t first = borders[static_cast<size_t>(cuts[0])], second = borders[static_cast<size_t>(cuts[1])];
  const auto encoded = [&](size_t begin, size_t end) {
    return tokenizer_->encode(std::string_view(text).substr(begin, end - begin), /*add_special_tokens=*/false);
  };
  const Ids prefix = encoded(0, first), middle = encoded(first, second), suffix = encoded(second, text.size());

  if (begins) out.push_back(ids.front());
  out.push_back(prefix_);
  if (random.bernoulli(config_.spm_rate)) {
    out.push_back(suffix_);
    add(suffix);
    out.push_back(middle_);
    add(prefix);
  } else {
    add(prefix);
    out.push_back(suffix_);
    add(suffix);
    out.push_back(middle_);
  }
  add(middle);
}

}  // namespace longhaul
