// What a fuzzer is about: a reader, and inputs that it takes. Each fuzz_<reader>.cpp defines fuzz_target().
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace longhaul::fuzz {

struct FuzzTarget {
  std::vector<std::string> seeds;  // well-formed inputs
  std::vector<size_t> offsets;     // of binary seeds: where numbers stand that decide much, e.g. header fields
  std::vector<std::string> words;  // of text: what to put in the place of others
  // Reads the input. May throw UserError, what a damaged file deserves; everything else that it throws is a bug, and so
  // is whatever the sanitizers find.
  std::function<void(std::string_view input)> read;
};

FuzzTarget fuzz_target();

}  // namespace longhaul::fuzz
