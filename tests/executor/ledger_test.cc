#include "executor/run/ledger.h"

#include <gmock/gmock.h>

namespace ferry {
namespace {

using ::testing::HasSubstr;

const Device kCpu, kSim(DeviceKind::sim, 0);

TEST(Ledger, AgreesWhenEveryEntryDoes) {
  CopyLedger ledger;
  EXPECT_EQ(ledger.difference(), "");
  for (int trip = 0; trip < 3; ++trip) {
    ledger.record("x", kCpu, kSim, 8);
    ledger.expect("x", kCpu, kSim, 8);
  }
  EXPECT_EQ(ledger.difference(), "");
  ASSERT_EQ(ledger.made().size(), 1u);
  EXPECT_EQ(ledger.made()[0].times, 3);
  EXPECT_EQ(ledger.made()[0].bytes, 24);
}

TEST(Ledger, KeepsWhatKernelsMoveApart) {
  CopyLedger ledger;
  ledger.record("y", kSim, kCpu, 40);
  ledger.record("y", kSim, kCpu, 4, true);
  ledger.expect("y", kSim, kCpu, 44);
  EXPECT_EQ(ledger.made().size(), 2u);
  EXPECT_THAT(ledger.difference(),
              HasSubstr("made but not planned: by the kernel of 'y' from sim:0 to cpu (1 time(s), "
                        "4 bytes)"));
}

TEST(Ledger, NamesEveryDifference) {
  CopyLedger ledger;
  ledger.expect("dropped", kCpu, kSim, 8);
  ledger.expect("short", kCpu, kSim, 8);
  ledger.record("short", kCpu, kSim, 4);
  ledger.expect("turned", kCpu, kSim, 8);
  ledger.record("turned", kSim, kCpu, 8);
  ledger.expect("twice", kCpu, kSim, 8);
  ledger.record("twice", kCpu, kSim, 4);
  ledger.record("twice", kCpu, kSim, 4);
  const std::string text = ledger.difference();
  EXPECT_THAT(text, HasSubstr("planned but not made: 'dropped' from cpu to sim:0"));
  EXPECT_THAT(text, HasSubstr("copied 'short' from cpu to sim:0 1 time(s), 4 bytes, planned"));
  EXPECT_THAT(text, HasSubstr("made but not planned: 'turned' from sim:0 to cpu"));
  EXPECT_THAT(text, HasSubstr("copied 'twice' from cpu to sim:0 2 time(s), 8 bytes, planned"));

  std::string compared;
  for (const LedgerPair& pair : ledger.compared()) {
    compared += pair.made.value + " " + std::to_string(pair.planned_times) + "/" +
                std::to_string(pair.made.times) + (pair.as_planned() ? "; " : " differs; ");
  }
  EXPECT_EQ(compared,
            "dropped 1/0 differs; short 1/1 differs; turned 1/0 differs; twice 1/2 differs; "
            "turned 0/1 differs; ");
}

}  // namespace
}  // namespace ferry
