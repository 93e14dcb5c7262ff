#include "train/stop_signal.h"

#include <gtest/gtest.h>

#include <csignal>

namespace longhaul {
namespace {

volatile std::sig_atomic_t hosts = 0;

TEST(StopSignalTest, TheHostsHandlersComeBack) {
  struct sigaction host {
  }, before{};
  host.sa_handler = [](int number) { hosts = number; };
  sigaction(SIGTERM, &host, &before);
  {
    const StopSignal stop(/*tell=*/false);
    EXPECT_FALSE(StopSignal::raised());
    std::raise(SIGTERM);
    EXPECT_TRUE(StopSignal::raised());
    EXPECT_STREQ(StopSignal::name(), "SIGTERM");
    std::raise(SIGINT);  // at the same time: a launcher's way of passing on one Ctrl-C
    EXPECT_TRUE(StopSignal::raised());
    EXPECT_EQ(hosts, 0);
  }
  std::raise(SIGTERM);
  EXPECT_EQ(hosts, SIGTERM);
  sigaction(SIGTERM, &before, nullptr);
}

}  // namespace
}  // namespace longhaul
