#include "longhaul/data/masking.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "data/blend_index.h"
#include "longhaul/core/error.h"

namespace longhaul {
namespace {

constexpr double kSpanBert = 0.2;

// The tokens that may be hidden, word by word: positions [begins[i], begins[i + 1]) are the word i.
struct Words {
  std::vector<size_t> positions;
  std::vector<size_t> begins;

  size_t count() const { return begins.size() - 1; }
  // The positions of words [first, first + words), as far as there are so many.
  std::span<const size_t> run(size_t first, size_t words) const {
    const size_t end = begins[std::min(first + words, count())];
    return std::span(positions).subspan(begins[first], end - begins[first]);
  }
};

Words words_of(std::span<const int64_t> tokens, const MaskVocabulary& vocabulary, bool whole_words) {
  Words words;
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i] == vocabulary.cls || tokens[i] == vocabulary.sep) continue;
    const bool joins = whole_words && !words.begins.empty() && vocabulary.continues_word(tokens[i]);
    if (!joins) words.begins.push_back(words.positions.size());
    words.positions.push_back(i);
  }
  words.begins.push_back(words.positions.size());
  return words;
}

}  // namespace

MaskVocabulary mask_vocabulary(const Tokenizer& tokenizer) {
  MaskVocabulary vocabulary;
  const auto named = [&](const char* token) { return std::optional<int64_t>(tokenizer.token_to_id(token)); };
  vocabulary.cls = named("[CLS]");
  vocabulary.sep = named("[SEP]");
  vocabulary.mask = named("[MASK]");
  const auto first_of = [](std::initializer_list<std::optional<int64_t>> ids) {
    const auto found = std::find_if(ids.begin(), ids.end(), [](const auto& id) { return id.has_value(); });
    return found == ids.end() ? std::nullopt : *found;
  };
  const std::optional<int64_t> pad = first_of({tokenizer.pad_id(), named("[PAD]")});
  vocabulary.pad = pad.value_or(0);
  vocabulary.bos = first_of({tokenizer.bos_id(), vocabulary.cls, pad});
  vocabulary.eos = first_of({tokenizer.eos_id(), vocabulary.sep});
  while (const auto id = tokenizer.token_to_id(fmt::format("<extra_id_{}>", vocabulary.sentinels.size()))) {
    vocabulary.sentinels.push_back(*id);
  }
  vocabulary.continues.resize(static_cast<size_t>(tokenizer.vocab_size()));
  for (int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    if (!tokenizer.has_token(id)) continue;
    vocabulary.ids.push_back(id);
    vocabulary.continues[static_cast<size_t>(id)] = tokenizer.id_to_token(id).starts_with("##");
  }
  return vocabulary;
}

Masking::Masking(const MaskingOptions& options) : options_(options) {
  if (!(options.probability > 0 && options.probability < 1)) {
    throw UserError("the masking probability is {}; it must be above 0 and below 1", options.probability);
  }
  if (options.max_ngram < 1)
    throw UserError("the longest run to mask is {} words; it must be at least 1", options.max_ngram);
  std::vector<double> inverse;
  for (int64_t n = 1; n <= options.max_ngram; ++n) inverse.push_back(1.0 / static_cast<double>(n));
  weights_ = normalized(inverse);
  if (options.longer_ngrams) std::reverse(weights_.begin(), weights_.end());
  weights_ = normalized(weights_);  // a second time, as Megatron does: it can change last bits
}

std::vector<Masking::Run> Masking::choose(std::span<const int64_t> tokens, int64_t target,
                                          const MaskVocabulary& vocabulary, RandomState& random,
                                          const std::function<void(size_t)>& hide) const {
  const Words words = words_of(tokens, vocabulary, options_.whole_words);
  const double limit =
      std::min(options_.probability * static_cast<double>(target),
               std::max(1.0, std::nearbyint(static_cast<double>(tokens.size()) * options_.probability)));
  std::vector<size_t> order(words.count());
  std::iota(order.begin(), order.end(), size_t{0});
  random.shuffle(std::span(order));

  std::vector<Run> runs;
  std::vector<bool> hidden(tokens.size());
  size_t count = 0;  // hidden tokens
  const auto too_many = [&](size_t more) { return static_cast<double>(count + more) > limit; };
  for (const size_t first : order) {
    if (static_cast<double>(count) >= limit) break;
    size_t n = options_.geometric ? static_cast<size_t>(std::min(random.geometric(kSpanBert), options_.max_ngram))
                                  : random.choice(weights_) + 1;
    while (n > 1 && too_many(words.run(first, n).size())) --n;
    const std::span<const size_t> run = words.run(first, n);
    const bool overlaps = std::any_of(run.begin(), run.end(), [&](size_t position) { return hidden[position]; });
    if (too_many(run.size()) || overlaps) continue;
    for (const size_t position : run) {
      hidden[position] = true;
      hide(position);
    }
    count += run.size();
    runs.emplace_back(run.begin(), run.end());
  }
  std::sort(runs.begin(), runs.end(), [](const Run& a, const Run& b) { return a.front() < b.front(); });
  return runs;
}

}  // namespace longhaul
