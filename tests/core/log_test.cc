#include "core/log.h"

#include <gmock/gmock.h>

#include <atomic>
#include <thread>

namespace ferry {
namespace {

using ::testing::ElementsAre;

TEST(Log, SinkGetsLinesOfItsLevelAndAbove) {
  std::vector<std::string> lines;
  log(LogLevel::warning, "before");
  EXPECT_FALSE(log_wants(LogLevel::warning));
  set_log_sink([&](LogLevel level, std::string_view line) {
    lines.push_back(std::to_string(static_cast<int>(level)) + " " + std::string(line));
  });
  EXPECT_FALSE(log_wants(LogLevel::debug));
  log(LogLevel::debug, "too low");
  log(LogLevel::info, "a");
  log(LogLevel::warning, "b");
  set_log_sink(nullptr);
  log(LogLevel::warning, "after");
  EXPECT_THAT(lines, ElementsAre("1 a", "2 b"));
}

TEST(Log, SinksMayBeReplacedWhileThreadsSpeak) {
  std::atomic<int> heard{0};
  std::atomic<bool> stop{false};
  std::thread speaker([&] {
    while (!stop) log(LogLevel::info, "line");
  });
  for (int i = 0; i < 1000; ++i) {
    set_log_sink(
        [&heard, state = std::make_shared<int>(0)](LogLevel, std::string_view) { ++heard; });
    set_log_sink(nullptr);
  }
  stop = true;
  speaker.join();
}

}  // namespace
}  // namespace ferry
