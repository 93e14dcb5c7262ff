#include "model/family_names.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <mutex>
#include <vector>

#include "longhaul/core/error.h"
#include "longhaul/model/model_config.h"

namespace longhaul {
namespace {

struct Names {
  std::mutex mutex;
  std::vector<std::string> all{"llama", "gpt", "nemotron"};
};

Names& names() {
  static Names instance;
  return instance;
}

}  // namespace

std::vector<std::string> family_names() {
  const std::lock_guard lock(names().mutex);
  return names().all;
}

void add_family_name(const std::string& name) {
  const std::lock_guard lock(names().mutex);
  names().all.push_back(name);
}

void require_family(const std::string& name) {
  const std::vector<std::string> known = family_names();
  if (std::ranges::find(known, name) == known.end())
    throw UserError("model.family: unknown family '{}'; known are: {}", name, fmt::join(known, ", "));
}

}  // namespace longhaul
