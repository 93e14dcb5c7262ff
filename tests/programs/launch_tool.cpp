// launch_local for any program, for tests: launch_tool RANKS OUTPUT_DIR|- PROGRAM [ARGUMENTS…]
#include <fmt/core.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "longhaul/core/error.h"
#include "longhaul/launch/local.h"

int main(int argc, char** argv) {
  using namespace longhaul::launch;
  const std::vector<std::string> words(argv + 1, argv + argc);
  try {
    if (!words.empty() && words[0] == "rank") return start_rank({words.begin() + 1, words.end()});
    LocalLaunch options;
    options.ranks = std::atoi(words.at(0).c_str());
    if (words.at(1) != "-") options.output_dir = words.at(1);
    options.command.assign(words.begin() + 2, words.end());
    options.rank_starter = {argv[0], "rank"};
    return launch_local(options);
  } catch (const longhaul::Error& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return error.exit_code();
  }
}
