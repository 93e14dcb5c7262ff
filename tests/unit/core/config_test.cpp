// The configuration machinery on a struct of its own, so that the expected texts don't follow the recipes'
// fields.
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <nlohmann/json.hpp>

#include "longhaul/core/config/describe.h"
#include "longhaul/core/config/field_table.h"
#include "longhaul/core/config/json.h"
#include "longhaul/core/config/override.h"
#include "longhaul/core/config/suggest.h"
#include "longhaul/core/error.h"

namespace longhaul {

enum class Colour { red, green, blue };
struct Wheel {
  int64_t spokes = 3;
  double radius = 0.5;
  bool operator==(const Wheel&) const = default;
};
struct Car {
  std::string name = "car";
  bool electric = false;
  Colour colour = Colour::green;
  Wheel wheel;
  bool operator==(const Car&) const = default;
};

template <>
std::span<const std::string_view> enum_names<Colour>() {
  static constexpr std::array<std::string_view, 3> names{"red", "green", "blue"};
  return names;
}
template <>
const FieldTable& fields<Wheel>() {
  static const FieldTable table = make_table<Wheel>(
      "A wheel", {field<&Wheel::spokes>("spokes", "how many").at_least(1).at_most(99).known_as("num_spokes"),
                  field<&Wheel::radius>("radius", "from the hub").above(0).in("m")});
  return table;
}
template <>
const FieldTable& fields<Car>() {
  static const FieldTable table =
      make_table<Car>("A car", {field<&Car::name>("name", "a name"), field<&Car::electric>("electric", "no fuel"),
                                field<&Car::colour>("colour", "paint"), field<&Car::wheel>("wheel", "A wheel")});
  return table;
}

struct Run {
  int64_t max_steps = 1, seed = 1, warmup_steps = 0;
  double lr = 0;
};
struct Runs {
  Run trainer, optimizer;
};
template <>
const FieldTable& fields<Run>() {
  static const FieldTable table =
      make_table<Run>("A run", {field<&Run::max_steps>("max_steps", "all"), field<&Run::seed>("seed", "of chance"),
                                field<&Run::warmup_steps>("warmup_steps", "first"), field<&Run::lr>("lr", "rate")});
  return table;
}
template <>
const FieldTable& fields<Runs>() {
  static const FieldTable table =
      make_table<Runs>("Runs", {field<&Runs::trainer>("trainer", ""), field<&Runs::optimizer>("optimizer", "")});
  return table;
}

namespace {

std::string error_of(const std::string& text) {
  Car car;
  try {
    read_config(car, parse_json(text, "car.json"), "car.json");
  } catch (const UserError& error) {
    return error.what();
  }
  return "no error";
}

std::string override_error(const std::string& text) {
  Car car;
  try {
    apply_override(car, text);
  } catch (const UserError& error) {
    return error.what();
  }
  return "no error";
}

TEST(ConfigJson, ReadsWhatIsThereAndKeepsTheRest) {
  Car car;
  read_config(car,
              parse_json(R"(/* a car */ {"colour": "blue", // sky
      "wheel": {"radius": 1, "spokes": 1e1}})",
                         "car.json"),
              "car.json");
  EXPECT_EQ(car, (Car{"car", false, Colour::blue, {10, 1.0}}));
}

TEST(ConfigJson, ErrorsNameFilePathExpectationAndValue) {
  EXPECT_EQ(error_of(R"({"wheel": {"spokes": "many"}})"),
            "car.json: wheel.spokes: expected an integer, at least 1, at most 99, got \"many\" (string)");
  EXPECT_EQ(error_of(R"({"wheel": {"spokes": 2.5}})"),
            "car.json: wheel.spokes: expected an integer, at least 1, at most 99, got 2.5 (number)");
  EXPECT_EQ(error_of(R"({"wheel": {"spokes": 100}})"),
            "car.json: wheel.spokes: expected an integer, at least 1, at most 99, got 100 (number)");
  EXPECT_EQ(error_of(R"({"wheel": {"radius": 0}})"),
            "car.json: wheel.radius: expected a number, greater than 0, got 0 (number)");
  EXPECT_EQ(error_of(R"({"electric": 1})"), "car.json: electric: expected true or false, got 1 (number)");
  EXPECT_EQ(error_of(R"({"name": null})"), "car.json: name: expected a text, got null (null)");
  EXPECT_EQ(error_of(R"({"wheel": 4})"), "car.json: wheel: expected a group of keys { … }, got 4 (number)");
  EXPECT_EQ(error_of(R"({"colour": "gren"})"),
            "car.json: colour: \"gren\" is not one of red, green, blue. Did you mean \"green\"?");
  EXPECT_EQ(error_of("[1]"), "car.json: expected a JSON object { … }, got array");
  EXPECT_EQ(error_of(R"({"wheel": {"spokes": 18446744073709551615}})").substr(0, 40),
            "car.json: wheel.spokes: expected an inte");
}

TEST(ConfigJson, UnknownKeysComeWithASuggestion) {
  EXPECT_EQ(error_of(R"({"wheel": {"spoeks": 3}})"), "car.json: unknown key wheel.spoeks. Did you mean wheel.spokes?");
  EXPECT_EQ(error_of(R"({"radius": 3})"),
            "car.json: unknown key radius. Did you mean wheel.radius?");  // other group
  EXPECT_EQ(error_of(R"({"num_spokes": 3})"),
            "car.json: unknown key num_spokes. Did you mean wheel.spokes?");  // Megatron's
  EXPECT_EQ(error_of(R"({"zzzzzz": 3})"), "car.json: unknown key zzzzzz. `llm-pretrain schema --text` lists all keys.");
}

TEST(ConfigJson, SyntaxErrorsHaveLineAndColumn) {
  EXPECT_EQ(error_of("{\n  \"name\": \"x\",\n  \"electric\": tru\n}").substr(0, 14), "car.json:3:18:");
  EXPECT_EQ(error_of("").substr(0, 9), "car.json:");
  EXPECT_NE(error_of("{\"name\": \"x\"} {").find("car.json:1:15"), std::string::npos);
}

TEST(ConfigJson, AKeyGivenTwiceIsAnError) {
  EXPECT_NE(error_of(R"({"wheel": {"spokes": 3, "spokes": 4}})").find("\"spokes\" is given twice"), std::string::npos);
  EXPECT_EQ(error_of(R"({"name": "x", "wheel": {"spokes": 3}})"), "no error");
}

TEST(ConfigJson, WritesEverythingOrWhatDiffers) {
  const Car car{"x", true, Colour::red, {3, 0.1}};
  const auto all = write_json(fields<Car>(), &car);
  EXPECT_EQ(all.dump(), R"({"name":"x","electric":true,"colour":"red","wheel":{"spokes":3,"radius":0.1}})");
  Car back;
  read_config(back, parse_json(all.dump(), "x"), "x");
  EXPECT_EQ(back, car);
  const Car defaults;
  EXPECT_EQ(write_changes(fields<Car>(), &car, &defaults).dump(),
            R"({"name":"x","electric":true,"colour":"red","wheel":{"radius":0.1}})");
  EXPECT_EQ(write_changes(fields<Car>(), &defaults, &defaults).dump(), "{}");
}

TEST(ConfigOverride, IsTypedByTheTable) {
  Car car;
  for (const char* text : {"wheel.spokes=1e1", "wheel.radius=1e-4", "electric=true", "colour=blue", "name=a=b"})
    apply_override(car, text);
  EXPECT_EQ(car, (Car{"a=b", true, Colour::blue, {10, 1e-4}}));
}

TEST(ConfigOverride, Errors) {
  EXPECT_EQ(override_error("wheel.spokes=x"),
            "override wheel.spokes=x: wheel.spokes must be an integer, at least 1, at most 99.");
  EXPECT_EQ(override_error("wheel.spokes=0"),
            "override wheel.spokes=0: wheel.spokes must be an integer, at least 1, at most 99.");
  EXPECT_EQ(override_error("wheel.spokes=1.5").substr(0, 9), "override ");
  EXPECT_EQ(override_error("wheel.radius=nan").substr(0, 9), "override ");
  EXPECT_EQ(override_error("wheel.radius=inf").substr(0, 9), "override ");
  EXPECT_EQ(override_error("wheel.radius=1 "),
            "override wheel.radius=1 : wheel.radius must be a number, greater than 0.");
  EXPECT_EQ(override_error("colour=gren"),
            "override colour=gren: colour must be one of red, green, blue. Did you mean green?");
  EXPECT_EQ(override_error("electric=1"), "override electric=1: electric must be true or false.");
  EXPECT_EQ(override_error("wheel=3"), "wheel is a group of keys; set one of them, such as wheel.spokes=…");
  EXPECT_EQ(override_error("whel.spokes=3"),
            "unknown key whel.spokes in the override whel.spokes=3. Did you mean wheel.spokes?");
  EXPECT_EQ(override_error("name.first=3"),
            "override name.first=3: name holds one value, not a group of keys; write name=…");
  EXPECT_EQ(override_error("spokes").substr(0, 28), "\"spokes\" is not an override;");
}

TEST(ConfigSuggest, EditDistance) {
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
  EXPECT_EQ(edit_distance("ab", "ba"), 1u);
  EXPECT_EQ(edit_distance("same", "same"), 0u);
}

TEST(Suggest, KeysByTheirWords) {
  const auto meant = [](const char* path) { return suggest_key(fields<Runs>(), path); };
  EXPECT_EQ(meant("optimizer.warmup"), "optimizer.warmup_steps") << "optimizer.lr is as near by spelling of the whole";
  EXPECT_EQ(meant("trainer.steps"), "trainer.max_steps");
  EXPECT_EQ(meant("optimizer.seeds"), "optimizer.seed") << "of the section that was named";
  EXPECT_EQ(meant("optimizer.warm_step"), "optimizer.warmup_steps");
  EXPECT_EQ(meant("optimzer.max_stps"), "trainer.max_steps");
  EXPECT_EQ(meant("optimzer"), "optimizer");
  EXPECT_EQ(meant("trainer.lurch"), "");
  EXPECT_EQ(meant("optimizer.warmup_ratio_steps"), "optimizer.warmup_steps") << "all of its words";
  EXPECT_EQ(meant("steps"), "") << "which one?";
  EXPECT_EQ(key_hint(fields<Runs>(), "trainer.lurch"), "`llm-pretrain schema --text trainer.` lists the keys there.");
}

TEST(Suggest, ALongNameTakesNoTime) {
  const std::vector<std::string> candidates(1000, "pipeline_parallel_size");
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(nearest(std::string(1'000'000, 'p'), candidates), "");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));  // minutes, if all were compared
}

TEST(ConfigDescribe, Schema) {
  const auto schema = json_schema(fields<Car>());
  EXPECT_EQ(schema["additionalProperties"], false);
  const auto& spokes = schema["properties"]["wheel"]["properties"]["spokes"];
  EXPECT_EQ(spokes["type"], "integer");
  EXPECT_EQ(spokes["minimum"], 1);
  EXPECT_EQ(spokes["maximum"], 99);
  EXPECT_EQ(spokes["default"], 3);
  EXPECT_EQ(schema["properties"]["wheel"]["properties"]["radius"]["exclusiveMinimum"], 0);
  EXPECT_EQ(schema["properties"]["colour"]["enum"].dump(), R"(["red","green","blue"])");
}

TEST(ConfigDescribe, MarkdownAndHelp) {
  const std::string page = markdown_reference(fields<Car>());
  EXPECT_NE(page.find("| `wheel.spokes` | an integer, at least 1, at most 99 | `3` | how many | `num_spokes` |  |"),
            std::string::npos);
  EXPECT_EQ(config_help(fields<Car>(), "wheel.r"),
            "key           default  meaning\n"
            "------------  -------  ------------------------------------------\n"
            "wheel.radius  0.5      from the hub (m); a number, greater than 0\n");
}

}  // namespace
}  // namespace longhaul
