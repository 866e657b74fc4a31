#pragma once

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "core/files.h"
#include "tests/support/model_builder.h"

// The program as a user sees it: what it prints where, and its exit code.
namespace ferry {

struct Result {
  int code;
  std::string out, err;
};

class Cli : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("ferry_cli_" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string file(const std::string& name) const { return folder_ / name; }
  static std::string model(const std::string& name) {
    return std::string(FERRY_SOURCE) + "/models/" + name;
  }

  Result run(const std::string& arguments) const {
    const std::string command = std::string(FERRY_CLI) + " " + arguments + " >" + file("out") +
                                " 2>" + file("err") + " </dev/null";
    const int status = std::system(command.c_str());
    EXPECT_TRUE(WIFEXITED(status)) << arguments;
    return {WEXITSTATUS(status), read_file(file("out")), read_file(file("err"))};
  }

  std::filesystem::path folder_;
};

// A Loop whose input says how often; 10^12 trips take days.
inline std::string endless_loop() {
  testing::ModelBuilder builder;
  builder.input("trips", int64, {}).input("start", float32, {}).output("end", float32, {});
  testing::NodeBuilder node = builder.node("Loop", {"trips", "", "start"}, {"end"});
  testing::GraphProtoBuilder body(node.graph("body"));
  body.input("i", int64, {}).input("going", boolean, {}).input("before", float32, {});
  body.node("Neg", {"before"}, {"after"});
  body.node("Identity", {"going"}, {"on"});
  body.output("on", boolean, {}).output("after", float32, {});
  return builder.bytes();
}

}  // namespace ferry
