#include "ferry/log.h"

#include <gmock/gmock.h>

#include "tests/support/model_of.h"

namespace ferry {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(Log, APlacementIsOneLineAndAnUploadAnother) {
  testing::ModelBuilder builder;
  builder.input("x", float32, {3}).output("y", float32, {3});
  builder.initializer<float>("w", {1, 2, 3}, {3});
  builder.node("Mul", {"x", "w"}, {"y"});
  std::vector<std::string> info, debug;
  set_log_sink(
      [&](LogLevel level, std::string_view line) {
        (level == LogLevel::debug ? debug : info).emplace_back(line);
      },
      LogLevel::debug);
  Model model = testing::model_of(builder);
  EXPECT_THAT(info, ElementsAre());  // a load places nothing
  (void)model.placement();
  EXPECT_THAT(info, ElementsAre("test.onnx: placed 1/1 nodes on cpu; 0 copies"));
  info.clear();
  model.to(Device("sim:0"));
  EXPECT_THAT(info, ElementsAre(StartsWith("test.onnx: placed 1/1 nodes on sim:0 (simulated);")));
  // Weights go up with the first plan that needs them, once.
  const Inputs inputs{{"x", Tensor::zeros({3})}};
  (void)model.run(inputs);
  EXPECT_THAT(debug, Contains("uploaded a weight of 12 B to sim:0"));
  debug.clear();
  (void)model.run(inputs);
  set_log_sink(nullptr);
  EXPECT_THAT(debug, ElementsAre());
}

}  // namespace
}  // namespace ferry
