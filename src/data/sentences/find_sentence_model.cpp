#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <system_error>

#include "longhaul/core/error.h"
#include "longhaul/data/sentence_splitter.h"

namespace longhaul {
namespace {

namespace fs = std::filesystem;

std::string environment(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nobody sets variables
  return value == nullptr ? "" : value;
}

std::vector<fs::path> places() {
  std::vector<fs::path> out;
  const std::string named = environment("NLTK_DATA");
  for (std::string_view rest = named; !rest.empty();) {
    const size_t colon = rest.find(':');
    if (colon != 0) out.emplace_back(rest.substr(0, colon));
    rest.remove_prefix(colon == std::string_view::npos ? rest.size() : colon + 1);
  }
  if (const std::string home = environment("HOME"); !home.empty()) out.push_back(fs::path(home) / "nltk_data");
  for (const char* folder : {"/usr/share", "/usr/local/share", "/usr/lib", "/usr/local/lib"}) {
    out.push_back(fs::path(folder) / "nltk_data");
  }
  return out;
}

}  // namespace

fs::path find_sentence_model(const std::string& language) {
  if (language.empty() || language.find('/') != std::string::npos || language.starts_with('.')) {
    throw UserError("--language {} is no name of a language; \"english\" is one", language);
  }
  std::error_code ignored;
  std::vector<std::string> tried;
  for (const fs::path& place : places()) {
    const fs::path models = place / "tokenizers" / "punkt_tab", model = models / language;
    if (fs::is_directory(model, ignored)) return model;
    if (fs::is_directory(models, ignored)) {
      std::vector<std::string> known;
      for (const auto& entry : fs::directory_iterator(models, ignored)) {
        if (entry.is_directory(ignored)) known.push_back(entry.path().filename().string());
      }
      std::sort(known.begin(), known.end());
      throw UserError("there is no sentence model for \"{}\" in {}; there is one for: {}", language, models.string(),
                      fmt::join(known, ", "));
    }
    if (const fs::path archive = models.string() + ".zip"; fs::exists(archive, ignored)) {
      throw UserError("the sentence models in {} are packed; unpack the file beside itself", archive.string());
    }
    tried.push_back(place.string());
  }
  throw UserError(
      "no sentence models in {}; `python -m nltk.downloader punkt_tab` fetches them (or unpack punkt_tab.zip "
      "of "
      "https://github.com/nltk/nltk_data into nltk_data/tokenizers, and name its place in NLTK_DATA, or a "
      "model's folder "
      "with --sentence-model)",
      fmt::join(tried, ", "));
}

}  // namespace longhaul
