// The manifest of a checkpoint, with the right checksum beside it: what a careful forger could make.
#include <memory>

#include "checkpoint/manifest.h"
#include "fuzz_target.h"
#include "longhaul/core/error.h"
#include "longhaul/core/hash.h"
#include "scratch_folder.h"

namespace longhaul::fuzz {

FuzzTarget fuzz_target() {
  auto folder = std::make_shared<ScratchFolder>();
  CheckpointManifest manifest;
  manifest.step = 7;
  manifest.config = {{"model", {{"layers", 2}}}};
  manifest.state = {{"data", {{"order", "gpt"}}}};
  manifest.files = {{"model-00000.safetensors", 1024, "0123456789abcdef"}};
  manifest.tensors = {
      {"model/w", "model-00000.safetensors", "w", at::kFloat, {2, 3}, {4, 3}, {2, 0}, "0123456789abcdef"}};
  FuzzTarget target;
  target.seeds = {manifest_text(manifest)};
  manifest.hf = {.config = {{"model_type", "llama"}}, .dtype = at::kBFloat16, .files = {{"tokenizer.json", "00"}}};
  target.seeds.push_back(manifest_text(manifest));
  target.words = {
      "step",   "files",   "tensors",  "shape",           "offsets", "global_shape",
      "hf",     "version", "\"../x\"", "\"/etc/passwd\"", "\"\"",    "\".\"",
      "\"F4\"", "\"F64\"", "[]",       "[1,2]",           "[-1]",    "[9223372036854775807,9223372036854775807]",
      "1.5"};
  target.read = [folder](std::string_view input) {
    folder->write("manifest.json", input);
    folder->write("manifest.xxh3", hex64(xxh3(input)) + "\n");
    const CheckpointManifest read = read_manifest(folder->path(""));
    for (const auto& file : read.files)
      LONGHAUL_CHECK(file.name.find('/') == std::string::npos, "a path: {}", file.name);
    // Written and read again it is the same.
    const std::string text = manifest_text(read);
    LONGHAUL_CHECK(manifest_text(parse_manifest(text)) == text, "not the same after a round");
  };
  return target;
}

}  // namespace longhaul::fuzz
