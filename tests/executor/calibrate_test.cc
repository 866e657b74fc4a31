#include "ferry/calibrate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <map>
#include <set>

#include "ferry/error.h"
#include "placement/profiles.h"

namespace ferry {
namespace {

using ::testing::HasSubstr;

// As little as can be measured: the numbers are rough, and nothing here depends on them.
CalibrateOptions quick(std::vector<Device> devices) {
  CalibrateOptions options;
  options.devices = std::move(devices);
  options.threads = 1;
  options.repetitions = 3;
  options.node_seconds = 1e-4;
  return options;
}

TEST(Calibrate, MeasuresDevicesAndLinks) {
  CalibrateOptions options = quick({Device::cpu(), Device("sim:0")});
  std::vector<int> done;
  int total = 0;
  options.progress = [&](int step, int steps, const std::string&) {
    done.push_back(step);
    total = steps;
  };
  const Calibration calibration = calibrate(options);

  std::set<std::string> keys;
  for (const Measurement& one : calibration.measurements) {
    const std::string key = one.device.str() + " " + one.key;
    EXPECT_TRUE(keys.insert(key).second) << key;
    EXPECT_TRUE(std::isfinite(one.value) && one.value > 0) << key << ": " << one.value;
    EXPECT_GE(one.spread, 0) << key;
    EXPECT_GT(one.assumed, 0) << key;
  }
  for (const char* key : {"cpu flops.float32", "cpu flops.float64", "cpu bytes_per_second",
                          "cpu launch_seconds", "sim:0 flops.float32", "sim:0 bytes_per_second",
                          "sim:0 launch_seconds", "sim:0 link.pinned_bytes_per_second",
                          "sim:0 link.pageable_bytes_per_second", "sim:0 link.latency_seconds"}) {
    EXPECT_TRUE(keys.contains(key)) << key;
  }
  EXPECT_EQ(total, static_cast<int>(keys.size()));
  ASSERT_EQ(done.size(), keys.size());
  for (size_t i = 0; i < done.size(); ++i) EXPECT_EQ(done[i], static_cast<int>(i));
}

TEST(Calibrate, WritesProfilesThatPlacementReads) {
  const Calibration calibration = calibrate(quick({Device::cpu(), Device("sim:0")}));
  const std::string path = testing::TempDir() + "/calibrate_test.json";
  std::ofstream(path) << calibration.json;
  const Profiles profiles = Profiles::load(path);
  std::remove(path.c_str());

  const DeviceProfile cpu = profiles.device("2 cores", true);
  const DeviceProfile sim = profiles.device("emulated sm_90", false);
  const LinkProfile link = profiles.link("emulated sm_90");
  EXPECT_THAT(cpu.source, HasSubstr("measured"));
  EXPECT_THAT(sim.source, testing::StartsWith("simulated: measured"));
  EXPECT_THAT(link.source, testing::StartsWith("simulated: measured"));
  EXPECT_GT(sim.memory_bytes, 0);
  const std::map<std::string, double> read = {
      {"cpu flops.float32", cpu.flops.at(float32)},
      {"cpu bytes_per_second", cpu.bytes_per_second},
      {"cpu launch_seconds", cpu.launch_seconds},
      {"sim:0 flops.float32", sim.flops.at(float32)},
      {"sim:0 bytes_per_second", sim.bytes_per_second},
      {"sim:0 launch_seconds", sim.launch_seconds},
      {"sim:0 link.latency_seconds", link.latency_seconds},
      {"sim:0 link.pageable_bytes_per_second", link.bytes_per_second},
      {"sim:0 link.pinned_bytes_per_second", link.pinned_bytes_per_second},
  };
  size_t compared = 0;
  for (const Measurement& one : calibration.measurements) {
    const auto at = read.find(one.device.str() + " " + one.key);
    if (at == read.end()) continue;
    ++compared;
    EXPECT_EQ(at->second, one.value) << at->first;
  }
  EXPECT_EQ(compared, read.size());
}

TEST(Calibrate, MeasuresDevicesOfOneNameOnce) {
  const Calibration calibration = calibrate(quick({Device::cpu(), Device::cpu()}));
  EXPECT_EQ(std::ranges::count(calibration.measurements, "launch_seconds", &Measurement::key), 1);
}

TEST(Calibrate, RefusesWhatCannotBeMeasured) {
  CalibrateOptions none = quick({Device::cpu()});
  none.repetitions = 0;
  EXPECT_THROW((void)calibrate(none), Error);
  for (const double seconds : {0.0, -1.0, 2.0, std::nan("")}) {
    CalibrateOptions options = quick({Device::cpu()});
    options.node_seconds = seconds;
    EXPECT_THROW((void)calibrate(options), Error) << seconds;
  }
  try {
    (void)calibrate(quick({Device("sim:77")}));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::device_missing);
  }
}

}  // namespace
}  // namespace ferry
