// The query of NCCL's RAS, against a server that answers as NCCL does.
#ifdef LONGHAUL_HAS_CUDA
#include "comm/nccl/ras.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <thread>

#include "unit/temp_folder.h"

namespace longhaul::comm {
namespace {

using std::chrono::milliseconds;

// Accepts one client, and gives its question to `answer`.
class OneAnswer {
 public:
  explicit OneAnswer(std::function<void(int client, const std::string& question)> answer) {
    listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in place{};
    place.sin_family = AF_INET;
    place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof place;
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&place), length), 0);
    EXPECT_EQ(::listen(listener_, 1), 0);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&place), &length);
    address_.port = ntohs(place.sin_port);
    thread_ = std::thread([this, answer = std::move(answer)] {
      const int client = ::accept(listener_, nullptr, nullptr);
      char text[256];
      const ssize_t got = ::recv(client, text, sizeof text, 0);
      answer(client, std::string(text, got > 0 ? static_cast<size_t>(got) : 0));
      ::close(client);
    });
  }
  ~OneAnswer() {
    thread_.join();
    ::close(listener_);
  }
  const RasAddress& address() const { return address_; }

 private:
  int listener_ = -1;
  RasAddress address_;
  std::thread thread_;
};

TEST(Ras, GivesTheWholeReport) {
  const std::string report =
      "NCCL version 2.28.9\nJob summary\n" + std::string(20'000, '.') + "\nErrors\nrank 3 is missing\n";
  std::string asked;
  std::string got;
  {
    const OneAnswer server([&](int client, const std::string& question) {
      asked = question;
      ::send(client, report.data(), 10'000, 0);  // in pieces
      std::this_thread::sleep_for(milliseconds(20));
      ::send(client, report.data() + 10'000, report.size() - 10'000, 0);
    });
    got = ras_report(server.address(), milliseconds(5000));
  }
  EXPECT_EQ(asked, "verbose status\n");
  EXPECT_EQ(got, report);
}

TEST(Ras, SaysWhatHinderedIt) {
  EXPECT_CONTAINS(ras_report({"127.0.0.1", 1}, milliseconds(500)), "Connection refused");
  const OneAnswer silent([](int client, const std::string&) {
    ::send(client, "so far", 6, 0);
    std::this_thread::sleep_for(milliseconds(400));
  });
  const auto start = std::chrono::steady_clock::now();
  const std::string text = ras_report(silent.address(), milliseconds(100));
  EXPECT_LT(std::chrono::steady_clock::now() - start, milliseconds(350));
  EXPECT_CONTAINS(text, "so far");
  EXPECT_CONTAINS(text, "it went silent");
}

TEST(Ras, TheEnvironmentSaysWhere) {
  EXPECT_EQ(ras_address()->port, 28028);
  ::setenv("NCCL_RAS_ADDR", "node7:1234", 1);
  EXPECT_EQ(ras_address()->host, "node7");
  EXPECT_EQ(ras_address()->port, 1234);
  ::setenv("NCCL_RAS_ADDR", "[::1]:77", 1);
  EXPECT_EQ(ras_address()->host, "::1");
  ::setenv("NCCL_RAS_ADDR", "no port", 1);
  EXPECT_FALSE(ras_address());
  ::unsetenv("NCCL_RAS_ADDR");
  ::setenv("NCCL_RAS_ENABLE", "0", 1);
  EXPECT_FALSE(ras_address());
  ::unsetenv("NCCL_RAS_ENABLE");
}

}  // namespace
}  // namespace longhaul::comm
#endif
