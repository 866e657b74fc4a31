#include "executor/run/trace.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/model_of.h"

namespace ferry {
namespace {

TEST(Trace, NamesEveryStepOnItsTrack) {
  testing::ModelBuilder builder;
  builder.input("x", float32, {2, 3}).output("y", float32, {2, 3});
  builder.node("Relu", {"x"}, {"a"}).name("first");
  builder.node("Neg", {"a"}, {"y"}).name("second");
  Model model = testing::model_of(builder);
  model.to(Device("sim:0"));
  RunReport report;
  (void)model.run({{"x", Tensor::zeros({2, 3})}}, {.trace = true, .report = &report});
  const auto json = nlohmann::json::parse(report.trace_json);
  std::vector<std::string> names;
  double last = 0;
  for (const auto& event : json["traceEvents"]) {
    if (event["ph"] != "X") continue;
    names.push_back(event["name"]);
    EXPECT_GE(event["ts"].get<double>(), last);
    last = event["ts"];
    EXPECT_GE(event["dur"].get<double>(), 0);
  }
  EXPECT_EQ(names, (std::vector<std::string>{"x@sim:0", "first", "second", "y@cpu"}));
}

}  // namespace
}  // namespace ferry
