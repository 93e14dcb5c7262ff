#include "train/metrics_log.h"

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "longhaul/core/error.h"
#include "longhaul/core/file.h"
#include "longhaul/core/json_text.h"

namespace longhaul {
namespace {

void drop_lines_after(const std::filesystem::path& path, int64_t step) {
  if (!std::filesystem::exists(path)) return;
  std::istringstream lines(read_text(path));
  std::string kept, line;
  while (std::getline(lines, line)) {
    const auto json = json_or_null(line);
    if (!json.is_object()) continue;  // a kill cut it short
    const auto found = json.find("step");
    if (found == json.end() || !found->is_number_integer() || found->get<int64_t>() > step) continue;
    kept += line;
    kept += '\n';
  }
  write_text(path, kept);
}

}  // namespace

MetricsLog::MetricsLog(const std::filesystem::path& run_dir, int64_t resume_step)
    : tensorboard_(run_dir / "tensorboard") {
  const auto path = run_dir / "metrics.jsonl";
  drop_lines_after(path, resume_step);
  file_.open(path, std::ios::app);
  if (!file_) throw EnvironmentError("cannot write {}: check the permissions of the run folder", path.string());
}

void MetricsLog::write(const StepMetrics& m) {
  nlohmann::ordered_json line{{"step", m.step},
                              {"consumed_tokens", m.consumed_tokens},
                              {"loss", m.loss},
                              {"grad_norm", m.grad_norm},
                              {"learning_rate", m.learning_rate},
                              {"step_seconds", m.step_seconds},
                              {"data_wait_seconds", m.data_wait_seconds},
                              {"communication_seconds", m.communication_seconds},
                              {"save_seconds", m.save_seconds},
                              {"tokens_per_second", m.tokens_per_second},
                              {"model_flops_per_second", m.model_flops_per_second},
                              {"memory_bytes", m.memory_bytes}};
  if (m.valid_loss) line["valid_loss"] = *m.valid_loss;
  if (m.test_loss) line["test_loss"] = *m.test_loss;
  file_ << json_text(line) << '\n';
  file_.flush();
  if (!file_) throw EnvironmentError("cannot write metrics.jsonl: the disk is full, or the run folder is gone");

  std::vector<std::pair<std::string, double>> scalars{{"train/loss", m.loss},
                                                      {"train/grad_norm", m.grad_norm},
                                                      {"train/learning_rate", m.learning_rate},
                                                      {"speed/tokens_per_second", m.tokens_per_second},
                                                      {"speed/step_seconds", m.step_seconds}};
  if (m.valid_loss) scalars.emplace_back("valid/loss", *m.valid_loss);
  if (m.test_loss) scalars.emplace_back("test/loss", *m.test_loss);
  tensorboard_.add_scalars(m.step, scalars);
}

}  // namespace longhaul
