#include <gmock/gmock.h>
#include <unistd.h>

#include <cmath>
#include <complex>
#include <filesystem>
#include <limits>

#include "cli/compare_nodes.h"
#include "cli/compare_tensors.h"
#include "core/files.h"
#include "tests/support/model_of.h"

namespace ferry::cli {
namespace {

using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::model_of;
using testing::ModelBuilder;

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr float kInff = std::numeric_limits<float>::infinity(), kNan = NAN;

// ---- tensors ------------------------------------------------------------------------------------

TEST(CompareTensors, FloatsByTheRule) {
  struct Case {
    std::vector<float> a, b;
    Tolerance tolerance;
    int64_t wrong;
    double worst;
  };
  const Case kCases[] = {
      {{1, 2}, {1, 2}, {0, 0}, 0, 0},
      {{1.5f, 2}, {1, 2}, {0, 0.5}, 0, 1},  // |a - b| <= atol, equality included
      {{1.5f, 2}, {1, 2}, {0, 0.25}, 1, 2},
      {{3, 2}, {2, 2}, {0.5, 0}, 0, 1},  // relative to b
      {{2, 2}, {3, 2}, {0.25, 0}, 1, 4.0 / 3},
      {{-3, 2}, {-2, 2}, {0.5, 0}, 0, 1},
      {{1, 2}, {0, 2}, {0.5, 0}, 1, kInf},  // nothing is allowed beside 0
      {{kNan, kInff, -kInff}, {kNan, kInff, -kInff}, {0, 0}, 0, 0},
      {{kNan}, {1}, {1e9, 1e9}, 1, kInf},
      {{1}, {kNan}, {1e9, 1e9}, 1, kInf},
      {{kInff}, {-kInff}, {1e9, 1e9}, 1, kInf},
      {{kInff}, {1}, {1e9, 1e9}, 1, kInf},
      {{1}, {kInff}, {1e9, 1e9}, 1, kInf},
  };
  for (const Case& c : kCases) {
    const Comparison found = compare(Tensor::from(c.a, {std::ssize(c.a)}),
                                     Tensor::from(c.b, {std::ssize(c.b)}), c.tolerance);
    const std::string which = ::testing::PrintToString(c.a) + ::testing::PrintToString(c.b);
    EXPECT_EQ(found.wrong, c.wrong) << which;
    EXPECT_DOUBLE_EQ(found.worst, c.worst) << which;
    EXPECT_EQ(found.same(), c.wrong == 0) << which;
  }
}

TEST(CompareTensors, TellsHowTheyDiffer) {
  const Comparison found = compare(Tensor::from({{1, 2, 3}, {4, 6, kNan}}),
                                   Tensor::from({{1, 2, 3}, {4, 5, 6}}), {0, 0});
  EXPECT_EQ(found.wrong, 2);
  EXPECT_EQ(found.nan_mismatches, 1);
  EXPECT_THAT(found.first, ElementsAre(1, 1));
  EXPECT_EQ(found.max_abs, 1);
  EXPECT_DOUBLE_EQ(found.max_rel, 0.2);
  EXPECT_DOUBLE_EQ(found.mean_abs, 0.2);  // of the five that are finite
  EXPECT_EQ(found.difference(),
            "2 of 6 elements differ, first at [1, 1]: 6 where 5 is expected; largest difference 1");
  EXPECT_EQ(compare(Tensor::scalar(1.0f), Tensor::scalar(2.0f), {}).difference(),
            "1 of 1 elements differ: 1 where 2 is expected; largest difference 1");
}

TEST(CompareTensors, Cosine) {
  const auto cosine = [](std::vector<float> a, std::vector<float> b) {
    return compare(Tensor::from(a, {2}), Tensor::from(b, {2}), {}).cosine;
  };
  EXPECT_NEAR(cosine({1, 1}, {2, 2}), 1, 1e-12);
  EXPECT_NEAR(cosine({1, 0}, {0, 1}), 0, 1e-12);
  EXPECT_NEAR(cosine({1, 2}, {-1, -2}), -1, 1e-12);
  EXPECT_EQ(cosine({0, 0}, {0, 0}), 1);
  EXPECT_EQ(cosine({0, 0}, {1, 0}), 0);
}

TEST(CompareTensors, EverythingElseExactly) {
  const Tolerance wide{1e9, 1e9};
  EXPECT_FALSE(compare(Tensor::from<int64_t>({1}), Tensor::from<int64_t>({2}), wide).same());
  EXPECT_FALSE(compare(Tensor::from<int8_t>({1}).to(boolean), Tensor::from<int8_t>({0}).to(boolean),
                       {0, 0, 9})
                   .same());
  EXPECT_EQ(
      compare(Tensor::from<std::string>({"a", "b"}), Tensor::from<std::string>({"a", "c"}), wide)
          .difference(),
      "1 of 2 elements differ, first at [1]: 'b' where 'c' is expected");
  EXPECT_TRUE(compare(Tensor::zeros({0, 3}), Tensor::zeros({0, 3}), {0, 0}).same());
  EXPECT_EQ(compare(Tensor::zeros({2}), Tensor::zeros({1, 2}), wide).difference(),
            "is float32[2], expected float32[1, 2]");
  EXPECT_EQ(compare(Tensor::zeros({2}), Tensor::zeros({2}).to(float64), wide).difference(),
            "is float32[2], expected float64[2]");
  EXPECT_EQ(compare(Tensor::zeros({2}), Tensor::zeros({3}), wide).worst, kInf);
}

TEST(CompareTensors, IntegersMayBeAllowedSteps) {
  const Tensor a = Tensor::from<int8_t>({127, -128, 5}), b = Tensor::from<int8_t>({126, -127, 7});
  EXPECT_EQ(compare(a, b, {0, 0, 1}).wrong, 1);
  EXPECT_THAT(compare(a, b, {0, 0, 1}).first, ElementsAre(2));
  EXPECT_TRUE(compare(a, b, {0, 0, 2}).same());
  // No overflow at the ends of 64 bits.
  const Tensor least = Tensor::from<int64_t>({INT64_MIN}),
               most = Tensor::from<int64_t>({INT64_MAX});
  EXPECT_EQ(compare(least, most, {0, 0, 1}).wrong, 1);
  EXPECT_EQ(compare(most, least, {0, 0, 1}).wrong, 1);
}

TEST(Tolerances, PresetsAndNames) {
  const Tolerances by_type("dtype", {"logits=0.5"}, {"0.25", "mask=2"});
  EXPECT_EQ(by_type.of("logits", float32).rtol, 0.5);
  EXPECT_EQ(by_type.of("logits", float32).atol, 0.25);
  EXPECT_EQ(by_type.of("mask", float16).atol, 2);
  EXPECT_LT(by_type.of("y", float64).rtol, by_type.of("y", float32).rtol);
  EXPECT_LT(by_type.of("y", float32).rtol, by_type.of("y", float16).rtol);
  EXPECT_LT(by_type.of("y", float16).rtol, by_type.of("y", bfloat16).rtol);
  EXPECT_EQ(Tolerances("onnx", {}, {}).of("y", float16).rtol, 1e-3);
  EXPECT_EQ(Tolerances("exact", {}, {}).of("y", float16).rtol, 0);
  EXPECT_EQ(Tolerances("int8", {}, {}).of("y", int8).steps, 1);
  EXPECT_EQ(Tolerances("int8", {}, {}).of("y", int32).steps, 0);
  EXPECT_EQ(Tolerances("dtype", {}, {}).of("y", int8).steps, 0);

  EXPECT_NO_THROW(by_type.check_names({"logits", "mask"}));
  EXPECT_THAT(error_of([&] {
                by_type.check_names({"logit", "mask"});
              }).what(),
              HasSubstr("no output named 'logits'. Did you mean 'logit'?"));
  for (const char* bad : {"", "x=", "x", "-1", "nan", "1e-3x", "y=-2"}) {
    EXPECT_THAT(error_of([&] { Tolerances("dtype", {bad}, {}); }).what(),
                HasSubstr("expected a number from 0 on, or NAME=NUMBER"))
        << bad;
  }
  EXPECT_THAT(error_of([] { Tolerances("exat", {}, {}); }).what(), HasSubstr("mean 'exact'?"));
}

TEST(CaseData, IsReadAndRefused) {
  const std::string folder =
      std::filesystem::temp_directory_path() / ("ferry_case_" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  EXPECT_FALSE(read_case_data(folder).has_tolerance);
  const auto with = [&](const std::string& json) {
    write_file(folder + "/data.json", json);
    return read_case_data(folder);
  };
  EXPECT_EQ(with(R"({"rtol": 0.5, "url": "u"})").tolerance.rtol, 0.5);
  EXPECT_EQ(with(R"({"rtol": 0.5, "url": "u"})").tolerance.atol, 1e-7);
  EXPECT_EQ(with(R"({"url": "u"})").url, "u");
  for (const char* bad : {"[]", "{", R"({"rtol": "1"})", R"({"atol": -1})", R"({"url": 3})"}) {
    EXPECT_THAT(error_of([&] { with(bad); }).what(), HasSubstr("data.json': ")) << bad;
  }
  std::filesystem::remove_all(folder);
}

// ---- nodes ----------------------------------------------------------------------------------

// Twelve nodes in a row, of which the one that `wrong` counts adds something else.
ModelBuilder chain(int wrong) {
  ModelBuilder builder;
  builder.input("x", float32, {"n"}).output("v12", float32, {"n"});
  std::string last = "x";
  for (int i = 1; i <= 12; ++i) {
    const std::string number = std::to_string(i);
    builder.initializer<float>("w" + number, {i == wrong ? 1.25f : 1.0f}, {1});
    builder.node("Add", {last, "w" + number}, {"v" + number}).name("add" + number);
    last = "v" + number;
  }
  return builder;
}

// Rewrites would make one node of all of them.
Model chain_on(const char* device, int wrong) {
  Model model = model_of(chain(wrong));
  model.to(Device(device));
  return model;
}

struct Compared {
  std::string first;
  int runs;
  std::vector<std::string> differing;
};

Compared compare_models(const Model& a, const Model& b) {
  const Inputs inputs{{"x", Tensor::from({1, 2})}};
  const Tolerances tolerances("dtype", {}, {});
  const NodeComparer nodes(a, b, inputs, tolerances);
  Compared out{"", 0, {}};
  const auto ignore = [](size_t, size_t) {};
  if (const auto first = nodes.first_difference(ignore)) {
    out.first = first->node.node;
    out.runs = first->runs;
  }
  // A budget that makes groups of one, several and all nodes.
  for (const int64_t budget : {int64_t{1}, int64_t{100}, int64_t{1} << 30}) {
    out.differing.clear();
    for (const NodeComparison& node : nodes.every_node(ignore, budget)) {
      if (!node.same()) out.differing.push_back(node.node);
    }
  }
  return out;
}

TEST(CompareNodes, EveryDifferenceIsFoundInFewRuns) {
  const Model right = chain_on("cpu", 0);
  const size_t nodes = right.placement().nodes().size();
  for (int wrong = 1; wrong <= 12; ++wrong) {
    const Compared found = compare_models(right, chain_on("sim:0", wrong));
    EXPECT_EQ(found.first, "add" + std::to_string(wrong));
    EXPECT_LE(found.runs, 6) << "of " << nodes << " nodes";
    EXPECT_EQ(found.differing.size(), static_cast<size_t>(13 - wrong));
  }
}

TEST(CompareNodes, NothingDiffers) {
  const Compared found = compare_models(chain_on("cpu", 0), chain_on("sim:0", 0));
  EXPECT_EQ(found.first, "");
  EXPECT_THAT(found.differing, IsEmpty());
}

// A difference in a branch whose value is multiplied by 0 cannot be what makes the output differ.
TEST(CompareNodes, BisectionNamesWhatTheOutputIsWrongFor) {
  const auto build = [](float hidden, float seen) {
    ModelBuilder builder;
    builder.input("x", float32, {"n"}).output("y", float32, {"n"});
    builder.initializer<float>("h", {hidden}, {1}).initializer<float>("zero", {0, 0}, {2});
    builder.initializer<float>("s", {seen}, {1});
    builder.node("Sub", {"x", "h"}, {"a"}).name("hidden");
    builder.node("Mul", {"a", "zero"}, {"b"}).name("vanishes");
    builder.node("Add", {"x", "b"}, {"c"}).name("neutral");
    builder.node("Div", {"c", "s"}, {"y"}).name("seen");
    return builder;
  };
  Model right = model_of(build(1, 2)), wrong = model_of(build(3, 4));
  const Compared found = compare_models(right, wrong.to(Device("sim:0")));
  EXPECT_EQ(found.first, "seen");
  EXPECT_THAT(found.differing, ElementsAre("hidden", "seen"));
  Model only_hidden = model_of(build(3, 2));
  EXPECT_EQ(compare_models(right, only_hidden).first, "");
}

TEST(CompareNodes, OtherModelsAreRefused) {
  const Model a = chain_on("cpu", 0);
  ModelBuilder builder;
  builder.input("x", float32, {"n"}).output("v", float32, {"n"});
  builder.node("Neg", {"x"}, {"v"}).name("neg");
  const Model b = model_of(builder);
  const Inputs inputs{{"x", Tensor::from({1, 2})}};
  const Tolerances tolerances("dtype", {}, {});
  EXPECT_EQ(error_of([&] { NodeComparer(a, b, inputs, tolerances); }).code(), ErrorCode::internal);
}

}  // namespace
}  // namespace ferry::cli
