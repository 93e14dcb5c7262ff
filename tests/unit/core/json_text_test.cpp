#include "longhaul/core/json_text.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "longhaul/core/error.h"

namespace longhaul {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

TEST(JsonText, WritesAndReadsBack) {
  const json value{{"b", {1, 2.5, nullptr}}, {"a", "naïve \u0001"}};
  EXPECT_EQ(json_text(value), R"({"a":"naïve \u0001","b":[1,2.5,null]})");
  EXPECT_EQ(json_text(json{{"a", 1}}, 2), "{\n  \"a\": 1\n}");
  EXPECT_EQ(read_json_text(json_text(value), "x"), value);
}

TEST(JsonText, KeepsTheOrderOfKeys) {
  const std::string text = R"({"b":1,"a":{"z":2,"y":3}})";
  EXPECT_EQ(json_text(read_ordered_json_text(text, "x")), text);
}

TEST(JsonText, WhatIsNoUtf8IsRefusedForFilesAndReplacedForPeople) {
  const std::string latin1 = "caf\xE9";
  EXPECT_THROW(json_text(json{{"name", latin1}}), UserError);
  EXPECT_THROW(json_text(ordered_json{{"name", latin1}}), UserError);
  EXPECT_EQ(lenient_json_text(json(latin1)), "\"caf\uFFFD\"");
  EXPECT_EQ(ascii_json_text(json(latin1)), R"("caf\ufffd")");
  EXPECT_EQ(ascii_json_text(json("né 😀")), R"("n\u00e9 \ud83d\ude00")");
}

TEST(JsonText, WhatIsNoJsonThrowsOrIsNull) {
  for (const char* bad : {"", "{", "[1,]", "1e999", "{\"a\": 1} 2", "\"\xE9\""}) {
    EXPECT_THROW(read_json_text(bad, "x"), json::exception) << bad;
    EXPECT_THROW(read_ordered_json_text(bad, "x"), json::exception) << bad;
    EXPECT_TRUE(json_or_null(bad).is_null()) << bad;
  }
  const std::string deep = std::string(300, '[') + std::string(300, ']');
  EXPECT_THROW(read_json_text(deep, "x"), UserError);
  EXPECT_TRUE(json_or_null(deep).is_null());
  EXPECT_NO_THROW(read_json_text(std::string(200, '[') + std::string(200, ']'), "x"));
}

}  // namespace
}  // namespace longhaul
