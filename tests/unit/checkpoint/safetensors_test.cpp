#include <random>

#include "longhaul/checkpoint/safetensors_dtype.h"
#include "longhaul/checkpoint/safetensors_reader.h"
#include "longhaul/checkpoint/safetensors_writer.h"
#include "test_support.h"

namespace longhaul {
namespace {

using testing::identical;
using testing::message_of;
using testing::random_bytes;

constexpr at::ScalarType kTypes[] = {at::kBool,   at::kByte,   at::kChar, at::kFloat8_e4m3fn, at::kFloat8_e5m2,
                                     at::kShort,  at::kUInt16, at::kHalf, at::kBFloat16,      at::kInt,
                                     at::kUInt32, at::kFloat,  at::kLong, at::kUInt64,        at::kDouble};

class Safetensors : public testing::TemporaryFolder {
 protected:
  // A file of this header and so many zero bytes of data.
  std::string open_error(const std::string& header, size_t data_size) {
    const auto path = folder_ / "x.safetensors";
    const uint64_t size = header.size();
    testing::write_bytes(path,
                         std::string(reinterpret_cast<const char*>(&size), 8) + header + std::string(data_size, '\0'));
    const std::string message = message_of([&] { SafetensorsReader reader(path); });
    EXPECT_CONTAINS(message, "x.safetensors");
    return message;
  }
};

TEST_F(Safetensors, RoundTripOfEveryTypeAndShape) {
  std::mt19937 random(1);
  for (int round = 0; round < 30; ++round) {
    std::vector<std::pair<std::string, at::Tensor>> tensors;
    const int count = static_cast<int>(random() % 12);
    for (int i = 0; i < count; ++i) {
      std::vector<int64_t> shape(random() % 4);
      for (auto& size : shape) size = static_cast<int64_t>(random() % 7);  // zero sizes too
      tensors.emplace_back(fmt::format("layer.{}.{}", random() % 100, i),
                           random_bytes(kTypes[random() % std::size(kTypes)], shape, random()));
    }
    const auto path = folder_ / "f.safetensors";
    write_safetensors(path, tensors, {{"note", "a \"quoted\" one"}});
    const SafetensorsReader reader(path);
    EXPECT_EQ(reader.entries().size(), tensors.size());
    EXPECT_EQ(reader.metadata().at("format"), "pt");
    EXPECT_EQ(reader.metadata().at("note"), "a \"quoted\" one");
    for (const auto& [name, tensor] : tensors) {
      EXPECT_TRUE(identical(reader.tensor(name), tensor)) << name;
      const auto& entry = reader.at(name);
      if (!entry.bytes.empty()) {  // aligned for the type, so the tensor is a view of the file
        EXPECT_EQ(reader.tensor(name).const_data_ptr(), static_cast<const void*>(entry.bytes.data()));
      }
    }
  }
}

TEST_F(Safetensors, OrderAndPaddingOfTheFormat) {
  const auto path = folder_ / "f.safetensors";
  const std::pair<std::string, at::Tensor> tensors[] = {{"b", random_bytes(at::kHalf, {3}, 1)},
                                                        {"c", random_bytes(at::kFloat, {1}, 2)},
                                                        {"a", random_bytes(at::kByte, {5}, 3)},
                                                        {"A", random_bytes(at::kFloat, {2}, 4)}};
  write_safetensors(path, tensors);
  const SafetensorsReader reader(path);
  std::vector<std::string> names;
  for (const auto& entry : reader.entries()) names.push_back(entry.name);
  EXPECT_EQ(names, (std::vector<std::string>{"A", "c", "b", "a"}));
  EXPECT_EQ(reader.header_bytes().size() % 8, 0u);
  EXPECT_EQ(std::filesystem::file_size(path), reader.header_bytes().size() + 8 + 4 + 6 + 5);
  EXPECT_EQ(read_text(path).substr(8, 37), R"({"__metadata__":{"format":"pt"},"A":{)");
}

TEST_F(Safetensors, ViewsOutliveTheReader) {
  const auto path = folder_ / "f.safetensors";
  const at::Tensor tensor = random_bytes(at::kFloat, {100, 3}, 5);
  const std::pair<std::string, at::Tensor> tensors[] = {{"a", tensor}};
  write_safetensors(path, tensors);
  const at::Tensor view = SafetensorsReader(path).tensor("a");
  std::filesystem::remove(path);
  EXPECT_TRUE(identical(view, tensor));
}

TEST_F(Safetensors, MisalignedTensorsAreCopied) {
  const auto path = folder_ / "f.safetensors";
  std::string header = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  while ((header.size() + 8) % 4 != 1) header += ' ';
  const uint64_t size = header.size();
  testing::write_bytes(
      path, std::string(reinterpret_cast<const char*>(&size), 8) + header + std::string("\0\0\x80\x3f\0\0\0\xc0", 8));
  const SafetensorsReader reader(path);
  EXPECT_EQ(reader.tensor("a")[0].item<float>(), 1.0f);
  EXPECT_EQ(reader.tensor("a")[1].item<float>(), -2.0f);
}

TEST_F(Safetensors, NothingAppearsWithoutFinish) {
  const auto path = folder_ / "f.safetensors";
  {
    SafetensorsWriter writer(path, {{"a", at::kFloat, {2}}, {"b", at::kFloat, {2}}});
    writer.write(random_bytes(at::kFloat, {2}, 1));
    EXPECT_THROW(writer.finish(), InternalError);
    EXPECT_THROW(writer.write(random_bytes(at::kFloat, {3}, 1)), InternalError);
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(Safetensors, UnknownTensor) {
  const auto path = folder_ / "f.safetensors";
  write_safetensors(path, {});
  const SafetensorsReader reader(path);
  EXPECT_EQ(reader.find("nobody"), nullptr);
  EXPECT_CONTAINS(message_of([&] { reader.tensor("nobody"); }), "has no tensor 'nobody'");
}

TEST_F(Safetensors, FilesTooShort) {
  const auto path = folder_ / "x.safetensors";
  testing::write_bytes(path, "1234567");
  EXPECT_CONTAINS(message_of([&] { SafetensorsReader reader(path); }), "not a safetensors file");
  testing::write_bytes(path, std::string("\x40\0\0\0\0\0\0\0{}", 10));
  EXPECT_CONTAINS(message_of([&] { SafetensorsReader reader(path); }), "truncated");
  testing::write_bytes(path, std::string("\1\xe1\xf5\5\0\0\0\0{}", 10));  // 100,000,001
  EXPECT_CONTAINS(message_of([&] { SafetensorsReader reader(path); }), "more than the format allows");
}

// Every rule that a header can break, and what the error must name.
TEST_F(Safetensors, MalformedHeaders) {
  const struct {
    const char* header;
    size_t data;
    const char* expected;
  } cases[] = {
      {"[]", 0, "does not begin with"},
      {" {}", 0, "does not begin with"},
      {"", 0, "does not begin with"},
      {"{", 0, "not valid JSON"},
      {"{\"a\xff\":1}", 0, "not valid JSON"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
       2, "names 'a' twice"},
      {R"({"a":{"dtype":"U8","dtype":"I8","shape":[1],"data_offsets":[0,1]}})", 1, "names 'dtype' twice"},
      {R"({"a":3})", 0, "tensor 'a'"},
      {R"({"a":{"shape":[1],"data_offsets":[0,1]}})", 1, "tensor 'a': it has no dtype"},
      {R"({"a":{"dtype":"F4","shape":[2],"data_offsets":[0,1]}})", 1, "tensor 'a': unsupported dtype F4"},
      {R"({"a":{"dtype":"U8","data_offsets":[0,1]}})", 1, "tensor 'a': it has no shape"},
      {R"({"a":{"dtype":"U8","shape":[1]}})", 1, "tensor 'a': it has no data_offsets"},
      {R"({"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}})", 1, "tensor 'a': its shape holds -1"},
      {R"({"a":{"dtype":"U8","shape":[1.5],"data_offsets":[0,1]}})", 1, "tensor 'a': its shape holds 1.5"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0]}})", 1, "tensor 'a': its data_offsets are not a pair"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}})", 1, "run backwards"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4, "hold 4 bytes, but F32 [2] takes 8"},
      {R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}})", 0, "shape is too large"},
      {R"({"a":{"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,0]}})", 0, "shape is too large"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"stride":[1]}})", 1, "unknown field 'stride'"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})", 2, "tensor 'a'"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}})",
       3, "tensor 'b': its bytes start at 2"},
      {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
       3, "they overlap"},
      {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})", 1, "tensor 'a': the file ends inside it"},
      {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})", 3, "1 bytes follow the last tensor"},
      {R"({"__metadata__":3})", 0, "__metadata__"},
      {R"({"__metadata__":{"format":1}})", 0, "'format' in __metadata__"},
  };
  for (const auto& test : cases) EXPECT_CONTAINS(open_error(test.header, test.data), test.expected);
}

TEST_F(Safetensors, WhatTheFormatAllows) {
  const auto path = folder_ / "x.safetensors";
  // Padding after the header, a scalar, and two empty tensors at the same place.
  const std::string header =
      R"({"s":{"dtype":"U8","shape":[],"data_offsets":[0,1]},"e":{"dtype":"F32","shape":[0,9],"data_offsets":[1,1]},)"
      R"("f":{"dtype":"I64","shape":[3,0],"data_offsets":[1,1]}}   )";
  const uint64_t size = header.size();
  testing::write_bytes(path, std::string(reinterpret_cast<const char*>(&size), 8) + header + "\x07");
  const SafetensorsReader reader(path);
  EXPECT_EQ(reader.tensor("s").item<uint8_t>(), 7);
  EXPECT_EQ(reader.tensor("e").sizes(), at::IntArrayRef({0, 9}));
  EXPECT_EQ(reader.entries().size(), 3u);
}

}  // namespace
}  // namespace longhaul
