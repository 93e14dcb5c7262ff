// Saves training checkpoints: RUN/checkpoints/step_00000500/, and RUN/checkpoints/latest, which names the
// newest.
//
// A checkpoint is written into step_00000500.partial-<pid>, every file synced to disk, and appears by one
// rename; only then does `latest` move on and are older checkpoints removed. Whatever happens before that
// leaves the older ones as they were. A full disk is an EnvironmentError, and the partial folder is removed.
//
// Where several ranks train one model, each writes the pieces it owns into files of its own, and the first of them
// writes the manifest of all once everybody is done. No rank ever sees another's tensors.
#pragma once

#include <cstdint>
#include <filesystem>
#include <future>
#include <map>
#include <memory>
#include <string>

#include "longhaul/checkpoint/checkpoint_content.h"
#include "longhaul/comm/communicator.h"

namespace longhaul {

struct CheckpointOptions {
  int keep_last = 0;                    // how many of the newest to keep; 0: all
  int64_t keep_every = 0;               // checkpoints whose step is a multiple are kept for good; 0: none
  int64_t file_bytes = 4LL << 30;       // a file of tensors grows no larger, unless one tensor is
  comm::Communicator* ranks = nullptr;  // that save together, over host memory; null: one
};

// Writes one checkpoint into `folder` itself, synced and in one rename; a folder that stands there is replaced.
// For checkpoints that belong to no run.
void write_checkpoint_folder(const std::filesystem::path& folder, const CheckpointContent& content,
                             int64_t file_bytes = CheckpointOptions().file_bytes);

class CheckpointWriter {
 public:
  // Makes RUN/checkpoints, and clears away what a crash left half-written there. One writer per run at a
  // time. A collective call over `options.ranks`, as are all below but `poll`; a save that fails on one rank fails on
  // all.
  explicit CheckpointWriter(std::filesystem::path run_folder, CheckpointOptions options = {});
  // Waits for a save under way; its error is logged.
  ~CheckpointWriter();
  CheckpointWriter(const CheckpointWriter&) = delete;
  CheckpointWriter& operator=(const CheckpointWriter&) = delete;

  // Returns when the checkpoint is on disk. An existing checkpoint of the same step is replaced.
  void save(const CheckpointContent& content);

  // Copies the tensors into host buffers, which are kept for the next time, and returns; a thread of its own
  // writes them. Waits first for a save that is still under way.
  void save_async(CheckpointContent content);

  // What became of a save in that thread: `wait` waits for it and throws its error; `poll` looks whether it has
  // failed meanwhile and warns. A newer save, of either kind, makes up for a failed one: it too only warns.
  void wait();
  void poll();

 private:
  void settle();
  void snapshot(CheckpointContent& content);

  std::filesystem::path folder_;
  CheckpointOptions options_;
  std::unique_ptr<comm::Communicator> ranks_;  // its own group: saves go on beside the training
  std::map<std::string, at::Tensor> buffers_;  // by name and place
  std::future<void> pending_;
};

}  // namespace longhaul
