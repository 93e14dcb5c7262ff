#include "longhaul/data/jsonl.h"

#include <gtest/gtest.h>

#include "unit/temp_folder.h"

namespace longhaul {
namespace {

using Texts = std::vector<std::string>;

// Both readers have the same view of every line.
std::optional<std::string> read_both(std::string_view line, const Texts& keys, KeyTexts& texts) {
  KeyTexts fast;
  const auto problem = parse_json_line(line, keys, texts);
  EXPECT_EQ(JsonLineReader(keys).read(line, fast), problem) << line;
  if (!problem) {
    EXPECT_EQ(fast, texts) << line;
  }
  return problem;
}

std::vector<Texts> parsed(std::string_view line, const Texts& keys = {"text"}) {
  KeyTexts texts;
  const auto problem = read_both(line, keys, texts);
  EXPECT_FALSE(problem.has_value()) << *problem;
  std::vector<Texts> strings;
  for (const KeyText& text : texts) strings.push_back(text.strings);
  return strings;
}

std::string problem(std::string_view line, const Texts& keys = {"text"}) {
  KeyTexts texts;
  return read_both(line, keys, texts).value_or("");
}

TEST(JsonLine, TextUnderAKey) {
  EXPECT_EQ(parsed(R"({"text": "a b"})"), (std::vector<Texts>{{"a b"}}));
  EXPECT_EQ(parsed(R"(  {"id": 3, "text": "x\n\"\u00e9\ud83d\ude00", "z": [1, {"text": 5}]}  )"
                   "\r"),
            (std::vector<Texts>{{"x\n\"\xc3\xa9\xf0\x9f\x98\x80"}}));
  EXPECT_EQ(parsed(R"({"text": ""})"), (std::vector<Texts>{{""}}));
  EXPECT_EQ(parsed(R"({"text": ["a", "", "b"]})"), (std::vector<Texts>{{"a", "", "b"}}));
  EXPECT_EQ(parsed(R"({"text": []})"), (std::vector<Texts>{{}}));
}

TEST(JsonLine, AListIsToldFromAString) {
  KeyTexts texts;
  EXPECT_EQ(read_both(R"({"a": "x", "b": ["x"], "c": [], "d": [], "d": ""})", {"a", "b", "c", "d"}, texts),
            std::nullopt);
  EXPECT_EQ(texts, (KeyTexts{{{"x"}, false}, {{"x"}, true}, {{}, true}, {{""}, false}}));
}

TEST(JsonLine, OnlyTheOutermostObjectCounts) {
  EXPECT_EQ(parsed(R"({"meta": {"text": "no", "list": ["no"]}, "list": ["no"], "text": "yes"})"),
            (std::vector<Texts>{{"yes"}}));
  EXPECT_EQ(parsed(R"({"text": "yes", "meta": {"text": 4, "a": [["text"]]}})"), (std::vector<Texts>{{"yes"}}));
  EXPECT_CONTAINS(problem(R"({"meta": {"text": "no"}})"), "no key \"text\"");
}

TEST(JsonLine, SeveralKeysAndRepeatedOnes) {
  EXPECT_EQ(parsed(R"({"b": "2", "a": ["1", "3"]})", {"a", "b"}), (std::vector<Texts>{{"1", "3"}, {"2"}}));
  EXPECT_EQ(parsed(R"({"text": ["a", "b"], "text": "last"})"), (std::vector<Texts>{{"last"}}));
  EXPECT_CONTAINS(problem(R"({"a": "1"})", {"a", "b"}), "no key \"b\"");
}

TEST(JsonLine, WhatIsWrongIsSaid) {
  EXPECT_EQ(problem(""), "the line is blank");
  EXPECT_EQ(problem(" \t\r"), "the line is blank");
  EXPECT_CONTAINS(problem(R"({"text": "a)"), "not valid JSON at byte 11 of the line: a string is not closed");
  EXPECT_CONTAINS(problem(R"({"text": "a"} x)"), "not valid JSON at byte 14");
  EXPECT_CONTAINS(problem(R"({"text": "a"}{"text": "b"})"), "not valid JSON");
  EXPECT_CONTAINS(problem("{\"text\": \"a\xff\"}"), "byte 11 of the line is not UTF-8");
  EXPECT_CONTAINS(problem("{\"text\": \"a\tb\"}"), "control character");
  EXPECT_CONTAINS(problem(R"({"text": "\ud83d"})"), "half of a surrogate pair");
  EXPECT_CONTAINS(problem(R"({"text": 5})"), "the value of \"text\" is a number");
  EXPECT_CONTAINS(problem(R"({"text": null})"), "is null");
  EXPECT_CONTAINS(problem(R"({"text": true})"), "is a boolean");
  EXPECT_CONTAINS(problem(R"({"text": {"a": "b"}})"), "is an object");
  EXPECT_CONTAINS(problem(R"({"text": ["a", 5]})"), "the list \"text\" holds a number");
  EXPECT_CONTAINS(problem(R"({"text": ["a", ["b"]]})"), "the list \"text\" holds a list");
  EXPECT_CONTAINS(problem(R"({"text": [{"a": "b"}]})"), "the list \"text\" holds an object");
  EXPECT_CONTAINS(problem(R"(["text"])"), "the line is a list");
  EXPECT_CONTAINS(problem(R"("text")"), "the line is a string");
  EXPECT_CONTAINS(problem("17"), "the line is a number");
}

TEST(JsonLine, IsWhatPythonTakes) {
  EXPECT_EQ(parsed(R"({"a": NaN, "b": [Infinity, -Infinity], "text": "x"})"), (std::vector<Texts>{{"x"}}));
  EXPECT_EQ(parsed(R"({"a": 123456789012345678901234567890, "b": -1e999, "c": -0, "text": "x"})"),
            (std::vector<Texts>{{"x"}}));
  EXPECT_EQ(parsed(R"({"\ud800": "\udc00", "te\u0078t": "x\u0000y\/"})"),
            (std::vector<Texts>{{std::string("x\0y/", 4)}}));
  EXPECT_EQ(parsed(R"({"text": 5, "text": "last"})"), (std::vector<Texts>{{"last"}}));
  EXPECT_EQ(parsed(R"({"text": "\\ud83d \uD83D\uDE00 \\"})"), (std::vector<Texts>{{"\\ud83d \xf0\x9f\x98\x80 \\"}}));
  EXPECT_EQ(parsed("{\"a\": " + std::string(5000, '[') + std::string(5000, ']') + ", \"text\": \"deep\"}"),
            (std::vector<Texts>{{"deep"}}));
  const std::string large(3'000'000, 'x');  // more than simdjson is asked to read
  EXPECT_EQ(parsed("{\"text\": \"" + large + "\"}"), (std::vector<Texts>{{large}}));
  for (const char* bad :
       {"01",      "1.",          "1.e5", "1e",   "+1",    ".5",      "-",          "nan",   "inf",       "True", "'a'",
        "\"\\x\"", "\"\\u12g4\"", "[1,]", "[,1]", "[1 2]", "{\"a\"}", "{\"a\":1,}", "{a:1}", "{\"a\" 1}", "]",    ""}) {
    EXPECT_CONTAINS(problem(fmt::format("{{\"a\": {}, \"text\": \"x\"}}", bad)), "not valid JSON") << bad;
  }
  EXPECT_CONTAINS(problem("\xEF\xBB\xBF{\"text\": \"x\"}"), "not valid JSON at byte 0");
  EXPECT_CONTAINS(problem(R"({"text": "\ud83d\u0041"})"), "half of a surrogate pair");
  EXPECT_CONTAINS(problem(R"({"text": ["ok", "\udc00"]})"), "half of a surrogate pair");
  EXPECT_CONTAINS(problem("{\"text\": \"\xed\xa0\x80\"}"), "not UTF-8");
}

TEST(JsonLine, EveryCutOfALineIsRefused) {
  const std::string line = R"({"id": [1, {"a": null}], "text": ["a\u00e9", "b"], "z": 1.5e3})";
  for (size_t size = 0; size < line.size(); ++size) EXPECT_NE(problem(line.substr(0, size)), "") << size;
  EXPECT_EQ(problem(line), "");
}

}  // namespace
}  // namespace longhaul
