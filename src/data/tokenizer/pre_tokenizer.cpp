#include "data/tokenizer/pre_tokenizer.h"

namespace longhaul::tokenizer {

void Pieces::reset(std::string_view new_text, bool new_starts_input) {
  text = new_text;
  starts_input = new_starts_input;
  spans.clear();
  if (!text.empty()) spans.push_back({0, text.size()});
}

void Pieces::start_spare() {
  spare.clear();
  spare_origins.clear();
}

void Pieces::keep(size_t begin, size_t end) {
  spare += text.substr(begin, end - begin);
  if (!tracks) return;
  spare_origins.insert(spare_origins.end(), origins.begin() + static_cast<std::ptrdiff_t>(begin),
                       origins.begin() + static_cast<std::ptrdiff_t>(end));
}

void Pieces::adopt_spare() {
  own.swap(spare);
  origins.swap(spare_origins);
  text = own;
}

void Pieces::take_next() {
  if (!spans.empty()) starts_input &= !next.empty() && next.front().begin == spans.front().begin;
  spans.swap(next);
}

}  // namespace longhaul::tokenizer
