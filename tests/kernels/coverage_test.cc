#include <gmock/gmock.h>

#include <fstream>
#include <set>
#include <sstream>

#include "devices/device.h"
#include "graph/ops/op.h"
#include "kernels/kernel.h"

// Which operators have kernels where, against graph/ops and against lists with a reason for each
// gap: a new gap fails, and so does a reason for one that is closed.
namespace ferry {
namespace {

using ::testing::IsEmpty;
using Ops = std::set<std::string, std::less<>>;

Ops ops_of(std::span<const KernelFamily> families) {
  Ops out;
  for (const KernelFamily family : families) {
    for (const Kernel& kernel : family) out.emplace(kernel.op);
  }
  return out;
}

Ops all_rules() {
  Ops out;
  for (const std::span<const OpRule> family : op_rules()) {
    for (const OpRule& rule : family) out.emplace(rule.op);
  }
  return out;
}

Ops without(const Ops& ops, const Ops& others) {
  Ops out;
  for (const std::string& op : ops) {
    if (!others.contains(op)) out.insert(op);
  }
  return out;
}

// A list: operators, several on a line, each group under a line "# why".
Ops listed(const char* file) {
  std::ifstream in(std::string(FERRY_COVERAGE) + "/" + file);
  EXPECT_TRUE(in.good()) << file;
  Ops out;
  bool has_reason = false;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("#")) {
      has_reason = line.size() > 2;
      continue;
    }
    std::istringstream words(line);
    for (std::string op; words >> op;) {
      EXPECT_TRUE(has_reason) << file << " gives no reason for " << op;
      EXPECT_TRUE(out.insert(op).second) << file << " has " << op << " twice";
    }
    if (line.empty()) has_reason = false;
  }
  return out;
}

void expect_gaps(const Ops& gaps, const char* file) {
  const Ops known = listed(file);
  EXPECT_THAT(without(gaps, known), IsEmpty()) << "not in tests/kernels/" << file;
  EXPECT_THAT(without(known, gaps), IsEmpty()) << "no longer true in tests/kernels/" << file;
}

TEST(Coverage, EveryKernelHasARule) {
  const Ops rules = all_rules();
  EXPECT_THAT(without(ops_of(cpu_kernels()), rules), IsEmpty());
  EXPECT_THAT(without(ops_of(device_kernels(DeviceKind::sim)), rules), IsEmpty());
}

TEST(Coverage, EveryRuleHasACpuKernelOrAReason) {
  expect_gaps(without(all_rules(), ops_of(cpu_kernels())), "no_cpu_kernel.txt");
}

TEST(Coverage, EveryCpuKernelHasACudaKernelOrAReason) {
  expect_gaps(without(ops_of(cpu_kernels()), ops_of(device_kernels(DeviceKind::sim))),
              "no_cuda_kernel.txt");
}

// What the cost model takes for free is what no device runs.
TEST(Coverage, ViewsAreViewsOnEveryDevice) {
  for (const auto families : {cpu_kernels(), device_kernels(DeviceKind::sim)}) {
    for (const KernelFamily family : families) {
      for (const Kernel& kernel : family) {
        const OpRule* rule = find_op(kernel.op);
        ASSERT_NE(rule, nullptr) << kernel.op;
        EXPECT_EQ(kernel.view, rule->traffic == Traffic::view) << kernel.op;
      }
    }
  }
}

}  // namespace
}  // namespace ferry
