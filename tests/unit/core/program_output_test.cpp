#include "longhaul/core/program_output.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <thread>

#include "unit/temp_folder.h"

namespace longhaul {
namespace {

using namespace std::chrono_literals;
using End = ProgramOutput::End;

TEST(ProgramOutput, AsksPrograms) {
  const ProgramOutput good = program_output({"printf", "a b\nc\n\n"}, 10s);
  EXPECT_EQ(good.end, End::ended);
  EXPECT_EQ(good.text, "a b\nc");
  EXPECT_EQ(program_output({"printf", "%s", "$HOME; echo"}, 10s).text, "$HOME; echo") << "no shell reads the words";
  const ProgramOutput failed = program_output({"sh", "-c", "echo half; exit 3"}, 10s);
  EXPECT_EQ(failed.end, End::failed);
  EXPECT_EQ(failed.text, "");
  EXPECT_EQ(program_output({"no-such-program-anywhere"}, 10s).end, End::missing);
  EXPECT_EQ(program_output({"sh", "-c", "yes | head -c 300000"}, 10s).text.size(), 299999U) << "more than a pipe holds";
}

class SlowProgram : public FolderTest {};

TEST_F(SlowProgram, IsKilledWithAllThatItStarted) {
  for (const char* before : {"", "exec >&-; "}) {  // the second closes its output, and runs on
    const std::string note = path("started");
    const auto start = std::chrono::steady_clock::now();
    const ProgramOutput late = program_output(
        {"sh", "-c",
         std::string(before) + "sleep 60 & echo $! > " + note + ".part; mv " + note + ".part " + note + "; wait"},
        1s);
    EXPECT_EQ(late.end, End::late);
    EXPECT_LT(std::chrono::steady_clock::now() - start, 20s);
    pid_t started = 0;
    ASSERT_TRUE(std::ifstream(note) >> started);
    std::string state = "R";  // gone, or a zombie that nobody has waited for
    for (int i = 0; i < 100 && ::kill(started, 0) == 0 && state != "Z"; ++i) {
      std::this_thread::sleep_for(50ms);
      std::ifstream stat("/proc/" + std::to_string(started) + "/stat");
      std::string number, name;
      stat >> number >> name >> state;
    }
    EXPECT_TRUE(::kill(started, 0) != 0 || state == "Z");
  }
}

}  // namespace
}  // namespace longhaul
