#include "mutation.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <cstring>

namespace longhaul::fuzz {
namespace {

constexpr std::array<int64_t, 20> kNumbers{0,
                                           1,
                                           2,
                                           -1,
                                           -2,
                                           7,
                                           8,
                                           127,
                                           128,
                                           255,
                                           256,
                                           65535,
                                           65536,
                                           0x7FFFFFFF,
                                           0x80000000,
                                           0xFFFFFFFF,
                                           INT64_MAX,
                                           INT64_MIN,
                                           int64_t{1} << 32,
                                           int64_t{1} << 62};
const std::array<const char*, 22> kTexts{"0",
                                         "-1",
                                         "1e999",
                                         "-0",
                                         "1.5",
                                         "18446744073709551615",
                                         "9223372036854775807",
                                         "-9223372036854775808",
                                         "18446744073709551616",
                                         "2147483648",
                                         "1e-320",
                                         "null",
                                         "true",
                                         "[]",
                                         "{}",
                                         "\"\"",
                                         "\"\\u0000\"",
                                         "\"\\ud800\"",
                                         "[[[[[[[[",
                                         "\"\xF0\x9F\x99\x82\"",
                                         ",",
                                         "\xFF"};

size_t below(Random& random, size_t limit) {
  return limit == 0 ? 0 : random() % limit;
}
template <typename List>
const auto& any(Random& random, const List& list) {
  return list[below(random, list.size())];
}

struct Piece {
  size_t begin, size;
};
Piece piece_of(const std::string& text, Random& random) {
  const size_t begin = below(random, text.size());
  const size_t longest = text.size() - begin;
  return {begin, below(random, random() % 4 == 0 ? longest + 1 : std::min<size_t>(longest, 16) + 1)};
}

// A number of 1, 2, 4 or 8 bytes, at one of the offsets that matter or anywhere.
void put_number(std::string& input, const FuzzTarget& target, Random& random) {
  const size_t at =
      !target.offsets.empty() && random() % 2 == 0 ? any(random, target.offsets) : below(random, input.size());
  const size_t width = std::min(size_t{1} << (random() % 4), input.size() - std::min(at, input.size()));
  if (width == 0) return;
  uint64_t value = 0;
  std::memcpy(&value, input.data() + at, width);
  switch (random() % 3) {
    case 0:
      value = static_cast<uint64_t>(any(random, kNumbers));
      break;
    case 1:
      value += 1 + random() % 16;
      break;
    default:
      value -= 1 + random() % 16;
      break;
  }
  std::memcpy(input.data() + at, &value, width);
}

// The word, number, string or sign around a random place.
Piece token_of(const std::string& text, Random& random) {
  if (text.empty()) return {0, 0};
  size_t begin = below(random, text.size());
  const auto in_word = [&](size_t i) {
    const auto c = static_cast<unsigned char>(text[i]);
    return std::isalnum(c) != 0 || c >= 0x80 || std::strchr("_.+-", c) != nullptr;
  };
  if (!in_word(begin)) return {begin, 1};
  size_t end = begin;
  while (begin > 0 && in_word(begin - 1)) --begin;
  while (end < text.size() && in_word(end)) ++end;
  const bool quoted = begin > 0 && end < text.size() && text[begin - 1] == '"' && text[end] == '"' && random() % 2 == 0;
  return quoted ? Piece{begin - 1, end - begin + 2} : Piece{begin, end - begin};
}

void replace_token(std::string& input, const std::string& other, const FuzzTarget& target, Random& random) {
  const Piece place = token_of(input, random);
  std::string word;
  switch (random() % 3) {
    case 0:
      word = any(random, kTexts);
      break;
    case 1:
      word = target.words.empty() ? "" : any(random, target.words);
      break;
    default: {
      const Piece taken = token_of(other, random);
      word = other.substr(taken.begin, taken.size);
    }
  }
  input.replace(place.begin, place.size, word);
}

// Nests a piece deeper, which recursion in a parser would feel.
void nest(std::string& input, Random& random) {
  const size_t depth = random() % 16 == 0 ? 20000 : 1 + random() % 8;
  const Piece place = token_of(input, random);
  input.insert(place.begin + place.size, std::string(depth, ']'));
  input.insert(place.begin, std::string(depth, '['));
}

void change(std::string& input, const std::string& other, const FuzzTarget& target, Random& random) {
  if (input.empty()) input = other;
  if (input.empty()) input.push_back(static_cast<char>(random()));
  const bool text = !target.words.empty();
  const Piece piece = piece_of(input, random);
  switch (random() % (text ? 14 : 10)) {
    case 0:
      input[piece.begin] ^= static_cast<char>(1 << (random() % 8));
      break;
    case 1:
      input[piece.begin] = static_cast<char>(random());
      break;
    case 2:
      input.resize(below(random, input.size()));
      break;
    case 3:
      input.erase(piece.begin, piece.size);
      break;
    case 4:
      input.insert(below(random, input.size()), input.substr(piece.begin, piece.size));
      break;
    case 5:
      input.replace(piece.begin, piece.size, piece.size, static_cast<char>(random() % 2 == 0 ? 0 : random()));
      break;
    case 6: {
      const Piece taken = piece_of(other, random);
      input.replace(piece.begin, random() % 2 == 0 ? 0 : piece.size, other.substr(taken.begin, taken.size));
      break;
    }
    case 7:
    case 8:
    case 9:
      put_number(input, target, random);
      break;
    case 10:
      nest(input, random);
      break;
    default:
      replace_token(input, other, target, random);
      break;
  }
}

}  // namespace

std::string mutated(std::string input, const std::string& other, const FuzzTarget& target, Random& random,
                    size_t most_bytes) {
  for (uint64_t changes = 1 + random() % (random() % 4 == 0 ? 8 : 2); changes > 0; --changes)
    change(input, other, target, random);
  if (input.size() > most_bytes) input.resize(most_bytes);
  return input;
}

}  // namespace longhaul::fuzz
