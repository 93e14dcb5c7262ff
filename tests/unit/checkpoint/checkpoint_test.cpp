#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>

#include <random>

#include "checkpoint/checkpoint_folders.h"
#include "longhaul/checkpoint/checkpoint_reader.h"
#include "longhaul/checkpoint/checkpoint_writer.h"
#include "longhaul/core/hash.h"
#include "test_support.h"

namespace longhaul {
namespace {

using testing::identical;
using testing::message_of;
using testing::random_bytes;
namespace fs = std::filesystem;

CheckpointContent make_content(int64_t step, uint64_t seed = 0) {
  CheckpointContent content{.step = step,
                            .consumed_samples = 3 * step,
                            .consumed_tokens = 300 * step,
                            .config = {{"model", {{"layers", 2}}}},
                            .state = {{"loss_scale", 0.1}, {"seed", 7}},
                            .hf = HfSideCar{.config = {{"model_type", "llama"}},
                                            .dtype = at::kHalf,
                                            .files = {{"tokenizer.json", "{\"a\": 1}\n"}, {"merges.txt", "a b"}}}};
  seed += static_cast<uint64_t>(step);
  content.tensors = {{"model/a.weight", random_bytes(at::kFloat, {5, 3}, seed), {}, {}},
                     {"model/b.bias", random_bytes(at::kFloat, {4}, seed + 1), {}, {}},
                     {"optimizer.exp_avg/a.weight", random_bytes(at::kFloat, {5, 3}, seed + 2), {}, {}},
                     {"trainer/position", random_bytes(at::kLong, {}, seed + 3), {}, {}}};
  return content;
}

void expect_equal(const CheckpointReader& reader, const CheckpointContent& content) {
  EXPECT_EQ(reader.step(), content.step);
  EXPECT_EQ(reader.consumed_samples(), content.consumed_samples);
  EXPECT_EQ(reader.consumed_tokens(), content.consumed_tokens);
  EXPECT_EQ(reader.config(), content.config);
  EXPECT_EQ(reader.state(), content.state);
  ASSERT_TRUE(reader.hf().has_value());
  EXPECT_EQ(reader.hf()->config, content.hf->config);
  EXPECT_EQ(reader.hf()->dtype, content.hf->dtype);
  EXPECT_EQ(reader.hf()->files, content.hf->files);
  EXPECT_EQ(reader.names().size(), content.tensors.size());
  for (const auto& tensor : content.tensors)
    EXPECT_TRUE(identical(reader.read(tensor.name), tensor.value)) << tensor.name;
}

class Checkpoint : public testing::TemporaryFolder {
 protected:
  fs::path place(int64_t step) const { return folder_ / "checkpoints" / step_folder_name(step); }
  std::vector<int64_t> steps() const {
    std::vector<int64_t> result;
    for (const auto& place : list_checkpoints(folder_)) result.push_back(place.step);
    return result;
  }
};

TEST_F(Checkpoint, RoundTrip) {
  CheckpointWriter writer(folder_);
  EXPECT_FALSE(find_latest(folder_).has_value());
  writer.save(make_content(500));
  EXPECT_TRUE(fs::exists(folder_ / "checkpoints/step_00000500/manifest.json"));
  EXPECT_EQ(read_text(folder_ / "checkpoints/latest"), "step_00000500\n");
  EXPECT_EQ(read_text(place(500) / "hf/merges.txt"), "a b");
  expect_equal(CheckpointReader(place(500)), make_content(500));
  expect_equal(*find_latest(folder_), make_content(500));
  // A group's file is an ordinary safetensors file of plain names.
  EXPECT_NE(SafetensorsReader(place(500) / "model-00001.safetensors").find("a.weight"), nullptr);
}

TEST_F(Checkpoint, FuzzedTensorsComeBackBitByBit) {
  std::mt19937 random(2);
  constexpr at::ScalarType kTypes[] = {at::kFloat, at::kBFloat16, at::kHalf, at::kDouble,
                                       at::kLong,  at::kByte,     at::kBool};
  CheckpointContent content{.step = 1, .config = {}, .state = {}, .hf = HfSideCar{}};
  for (int i = 0; i < 60; ++i) {
    std::vector<int64_t> shape(random() % 4);
    for (auto& size : shape) size = static_cast<int64_t>(random() % 9);
    at::Tensor value = random_bytes(kTypes[random() % std::size(kTypes)], shape, random());
    if (value.dim() == 2 && random() % 2) value = value.t();  // not contiguous
    content.tensors.push_back({fmt::format("group{}/t{}", random() % 3, i), value, {}, {}});
  }
  CheckpointWriter(folder_, {.file_bytes = 2000}).save(content);
  EXPECT_GT(std::distance(fs::directory_iterator(place(1)), fs::directory_iterator()), 5);
  expect_equal(CheckpointReader(place(1)), content);
}

TEST_F(Checkpoint, SlicesArePutTogether) {
  const at::Tensor whole = random_bytes(at::kFloat, {6, 4}, 1);
  const auto slice = [&](int64_t row, int64_t rows, int64_t column, int64_t columns) {
    return NamedTensor{"model/w", whole.narrow(0, row, rows).narrow(1, column, columns), {6, 4}, {row, column}};
  };
  CheckpointContent content{.step = 1, .config = {}, .state = {}, .hf = {}};
  content.tensors = {slice(0, 4, 0, 4), slice(4, 2, 0, 1), slice(4, 2, 1, 3)};
  CheckpointWriter writer(folder_);
  writer.save(content);
  const CheckpointReader reader(place(1));
  EXPECT_EQ(reader.shape("model/w"), (std::vector<int64_t>{6, 4}));
  EXPECT_TRUE(identical(reader.read("model/w"), whole));
  at::Tensor padded = at::full({8, 4}, 3.0).to(at::kDouble);  // another type, and rows to spare
  reader.read_into("model/w", padded);
  EXPECT_TRUE(identical(padded.narrow(0, 0, 6).to(at::kFloat).isnan(), whole.isnan()));
  EXPECT_EQ(padded[7][0].item<double>(), 3.0);
  EXPECT_CONTAINS(message_of([&] { reader.read_into("model/w", at::zeros({6, 5})); }), "'model/w' is [6, 4]");
  EXPECT_CONTAINS(message_of([&] { reader.read("model/v"); }), "has no tensor 'model/v'");

  content.tensors.pop_back();
  EXPECT_THROW(writer.save(content), InternalError);  // a hole
  content.tensors.push_back(slice(4, 2, 0, 4));
  EXPECT_THROW(writer.save(content), InternalError);  // an overlap
}

TEST_F(Checkpoint, AsynchronousSaveTakesASnapshot) {
  CheckpointWriter writer(folder_);
  const at::Tensor live = random_bytes(at::kLong, {1 << 16}, 1);
  for (int64_t step = 1; step <= 3; ++step) {  // buffers are used again
    CheckpointContent content = make_content(step);
    content.tensors.push_back({"model/live", live, {}, {}});
    CheckpointContent expected = content;
    expected.tensors.back().value = live.clone();
    writer.save_async(std::move(content));
    live.add_(1);  // training goes on
    writer.wait();
    expect_equal(CheckpointReader(place(step)), expected);
  }
  EXPECT_EQ(steps(), (std::vector<int64_t>{1, 2, 3}));
}

TEST_F(Checkpoint, DestructorFinishesTheSave) {
  { CheckpointWriter(folder_).save_async(make_content(4)); }
  expect_equal(*find_latest(folder_), make_content(4));
}

TEST_F(Checkpoint, TheSameStepIsReplaced) {
  CheckpointWriter writer(folder_);
  writer.save(make_content(5, 1));
  writer.save(make_content(5, 100));
  expect_equal(*find_latest(folder_), make_content(5, 100));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_ / "checkpoints"), fs::directory_iterator()), 2);
}

TEST_F(Checkpoint, Retention) {
  CheckpointWriter writer(folder_, {.keep_last = 2, .keep_every = 40});
  for (int64_t step = 10; step <= 100; step += 10) writer.save(make_content(step));
  EXPECT_EQ(steps(), (std::vector<int64_t>{40, 80, 90, 100}));
  // The run went back to 40: what is later belongs to another past, and must not push out what is new.
  writer.save(make_content(50));
  writer.save(make_content(60));
  writer.save(make_content(70));
  EXPECT_EQ(steps(), (std::vector<int64_t>{40, 60, 70, 80, 90, 100}));
  EXPECT_EQ(find_latest(folder_)->step(), 70);
}

TEST_F(Checkpoint, EverythingIsKeptByDefault) {
  CheckpointWriter writer(folder_);
  for (int64_t step = 1; step <= 5; ++step) writer.save(make_content(step));
  EXPECT_EQ(steps().size(), 5u);
}

// A byte of any file, wherever it is: the checkpoint is refused, and the message names the file.
TEST_F(Checkpoint, AFlippedByteIsNoticedEverywhere) {
  CheckpointWriter(folder_).save(make_content(7));
  std::mt19937 random(3);
  for (const auto& entry : fs::recursive_directory_iterator(place(7))) {
    if (!entry.is_regular_file()) continue;
    const std::string good = read_text(entry.path());
    for (int i = 0; i < 12; ++i) {
      testing::flip_byte(entry.path(), i == 0 ? 0 : i == 1 ? good.size() - 1 : random() % good.size());
      const std::string message = message_of([&] {
        const CheckpointReader reader(place(7));
        reader.verify();
      });
      const bool either = message.find("manifest") != std::string::npos;
      EXPECT_TRUE(message.find(entry.path().filename().string()) != std::string::npos || either) << message;
      testing::write_bytes(entry.path(), good);
    }
  }
  CheckpointReader(place(7)).verify();
}

TEST_F(Checkpoint, DamagedTensorIsNamed) {
  CheckpointWriter(folder_).save(make_content(7));
  const fs::path file = place(7) / "optimizer.exp_avg-00001.safetensors";
  testing::flip_byte(file, fs::file_size(file) - 1);
  const CheckpointReader reader(place(7));
  EXPECT_NO_THROW(reader.read("model/a.weight"));
  EXPECT_CONTAINS(message_of([&] { reader.read("optimizer.exp_avg/a.weight"); }),
                  "optimizer.exp_avg-00001.safetensors: tensor 'optimizer.exp_avg/a.weight' is damaged");
}

TEST_F(Checkpoint, MissingAndTruncatedFilesAreNamed) {
  CheckpointWriter(folder_).save(make_content(7));
  const fs::path file = place(7) / "model-00001.safetensors";
  fs::resize_file(file, fs::file_size(file) - 1);
  EXPECT_CONTAINS(message_of([&] { CheckpointReader reader(place(7)); }), "model-00001.safetensors");
  fs::remove(file);
  EXPECT_CONTAINS(message_of([&] { CheckpointReader reader(place(7)); }), "model-00001.safetensors: missing");
  fs::remove(place(7) / "manifest.json");
  EXPECT_CONTAINS(message_of([&] { CheckpointReader reader(place(7)); }), "no manifest.json");
  EXPECT_CONTAINS(message_of([&] { CheckpointReader reader(place(8)); }), "no such checkpoint");
}

TEST_F(Checkpoint, OneThatIsGoneIsAnsweredWithThoseThatAre) {
  EXPECT_EQ(other_checkpoints(place(1)), "") << "no run";
  CheckpointWriter writer(folder_, {.keep_last = 2});
  const auto has = [&](const char* names) {
    return fmt::format("{} has {}; of older ones", (folder_ / "checkpoints").string(), names);
  };
  writer.save(make_content(1));
  EXPECT_TRUE(other_checkpoints(place(9)).starts_with(has("step_00000001")));
  writer.save(make_content(2));
  writer.save(make_content(3));
  EXPECT_CONTAINS(message_of([&] { CheckpointReader reader(place(1)); }), has("step_00000002 and step_00000003"));
  EXPECT_CONTAINS(other_checkpoints(place(1)), "checkpoint.keep_last");
  EXPECT_EQ(other_checkpoints(place(1) / ""), other_checkpoints(place(1)));
  EXPECT_EQ(other_checkpoints(folder_ / "checkpoints" / "final"), "") << "no checkpoint's name";
  EXPECT_EQ(other_checkpoints(folder_ / step_folder_name(1)), "") << "no run's";
  CheckpointWriter(folder_).save(make_content(4));
  EXPECT_TRUE(other_checkpoints(place(1)).starts_with(has("step_00000002, 1 more and step_00000004")));
}

TEST_F(Checkpoint, FileNamesThatLeadOutOfTheFolderAreRefused) {
  CheckpointWriter(folder_).save(make_content(7));
  const fs::path manifest = place(7) / "manifest.json";
  const std::string text = read_text(manifest), name = "\"model-00001.safetensors\"";
  ASSERT_NE(text.find(name), std::string::npos);
  for (const char* evil : {"../model-00001.safetensors", "/tmp/x", "..", "", "a/b", "x\\u0000y"}) {
    std::string changed = text;
    for (size_t at = 0; (at = changed.find(name, at)) != std::string::npos;)
      changed.replace(at, name.size(), fmt::format("\"{}\"", evil));
    write_text(manifest, changed);
    write_text(place(7) / "manifest.xxh3", hex64(xxh3(changed)) + "\n");
    EXPECT_CONTAINS(message_of([&] { CheckpointReader reader(place(7)); }), "is not a plain file name");
  }
}

TEST_F(Checkpoint, FallsBackToTheLastGoodOne) {
  CheckpointWriter writer(folder_);
  for (int64_t step = 1; step <= 4; ++step) writer.save(make_content(step));
  const fs::path file = place(4) / "model-00001.safetensors";
  testing::flip_byte(file, fs::file_size(file) - 1);
  fs::remove(place(3) / "manifest.xxh3");
  EXPECT_EQ(find_latest(folder_)->step(), 2);
  write_text(folder_ / "checkpoints/latest", "step_00000001\n");  // a pointer, not a guess
  EXPECT_EQ(find_latest(folder_)->step(), 1);
  write_text(folder_ / "checkpoints/latest", "nonsense");
  EXPECT_EQ(find_latest(folder_)->step(), 2);
  fs::remove(folder_ / "checkpoints/latest");
  EXPECT_EQ(find_latest(folder_)->step(), 2);
  fs::remove_all(place(1));
  fs::remove(place(2) / "trainer-00001.safetensors");
  EXPECT_CONTAINS(message_of([&] { find_latest(folder_); }), "none of its 3 checkpoints is good");
}

}  // namespace
}  // namespace longhaul
