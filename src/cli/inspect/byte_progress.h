// A progress bar for reading weights, shown only where it takes a while.
#pragma once

#include <optional>
#include <string>

#include "longhaul/core/progress.h"

namespace longhaul::cli {

class ByteProgress {
 public:
  ByteProgress(std::string label, double total_bytes) {
    if (total_bytes > kWorthShowing) bar_.emplace(std::move(label), total_bytes / 1e6, "MB");
  }
  void add(double bytes) {
    done_ += bytes;
    if (bar_) bar_->update(done_ / 1e6);
  }
  void finish() {
    if (bar_) bar_->finish();
  }

 private:
  static constexpr double kWorthShowing = 1e8;
  std::optional<ProgressBar> bar_;
  double done_ = 0;
};

}  // namespace longhaul::cli
