#include "placement/profiles.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "ferry/error.h"
#include "ferry/placement.h"

namespace ferry {
namespace embedded {
extern const std::string_view profiles;
}

namespace {

using ::testing::HasSubstr;

// A file of profiles that is gone when the test is.
class ProfileFile {
 public:
  explicit ProfileFile(std::string_view text)
      : path_(testing::TempDir() + "/profiles_test_" + std::to_string(::getpid()) + ".json") {
    std::ofstream(path_, std::ios::binary) << text;
  }
  ~ProfileFile() { std::remove(path_.c_str()); }
  ProfileFile(const ProfileFile&) = delete;
  ProfileFile& operator=(const ProfileFile&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

constexpr std::string_view kUsers = R"({
  "schema": "ferry.profiles/1",
  "devices": [
    {"name": "host", "kind": "cpu", "source": "measured", "flops": {"float32": 7e9},
     "bytes_per_second": 5e9, "launch_seconds": 2e-8},
    {"name": "slow", "kind": "gpu", "match": ["H100"], "link": "pcie 3 X16", "source": "measured",
     "simulated": true, "flops": {"float32": {"value": 1e9, "source": "median of 9"}},
     "bytes_per_second": 1e9, "launch_seconds": 1e-6, "memory_bytes": 1000},
    {"name": "own link", "kind": "gpu", "match": ["X1"], "link": "cable", "source": "measured",
     "flops": {"float32": 1e9}, "bytes_per_second": 1e9, "launch_seconds": 0, "memory_bytes": 1}
  ],
  "links": [{"name": "cable", "source": "measured", "pinned_bytes_per_second": 3e9,
             "pageable_bytes_per_second": 2e9, "latency_seconds": 1e-5}]
})";

TEST(Profiles, AreFoundByTheNameOfTheDevice) {
  const Profiles profiles = Profiles::load();
  const std::pair<const char*, const char*> cases[] = {
      {"Tesla T4", "T4"},
      {"NVIDIA A10", "A10"},
      {"NVIDIA A100-SXM4-40GB", "A100"},
      {"NVIDIA A100-SXM4-80GB", "A100 80GB"},
      {"NVIDIA A100 80GB PCIe", "A100 80GB"},
      {"NVIDIA H100 80GB HBM3", "H100"},
      {"NVIDIA H100 PCIe", "H100 PCIe"},
      {"NVIDIA H200", "H200"},
      {"NVIDIA GeForce RTX 4090", "RTX 4090"},
      {"emulated sm_90", "H100"},
      {"emulated sm_75", "T4"},
  };
  for (const auto& [device, name] : cases) {
    EXPECT_EQ(profiles.device(device, false).name, name) << device;
  }
  const DeviceProfile unlisted = profiles.device("Some GPU", false);
  EXPECT_EQ(unlisted.name, "A10");
  EXPECT_THAT(unlisted.source, testing::StartsWith("assumed: 'Some GPU'"));
  EXPECT_EQ(profiles.device("NVIDIA A1000", false).source.substr(0, 7), "assumed");
}

TEST(Profiles, CountTheCoresOfTheHost) {
  const Profiles profiles = Profiles::load();
  const DeviceProfile one = profiles.device("1 cores", true),
                      four = profiles.device("4 cores", true);
  EXPECT_EQ(four.flops.at(float32), 4 * one.flops.at(float32));
  EXPECT_EQ(four.bytes_per_second, one.bytes_per_second);
  EXPECT_EQ(profiles.device("? cores", true).flops, one.flops);
}

TEST(Profiles, NameTheLinkAndTheMemoryOfEveryGpu) {
  const Profiles profiles = Profiles::load();
  EXPECT_EQ(profiles.link("Tesla T4").name, "PCIe 3 x16");
  EXPECT_EQ(profiles.link("NVIDIA GeForce RTX 4090").name, "PCIe 4 x16");
  EXPECT_EQ(profiles.link("NVIDIA H100 80GB HBM3").name, "PCIe 5 x16");
  int gpus = 0;
  for (const DeviceProfile& device : profiles.devices()) {
    if (device.link.empty()) continue;
    ++gpus;
    EXPECT_GE(device.memory_bytes, 16e9) << device.name;
    EXPECT_GT(profiles.link_named(device.link).bytes_per_second, 0) << device.name;
  }
  EXPECT_EQ(gpus, 8);
  for (const LinkProfile& link : profiles.links()) {
    EXPECT_GT(link.pinned_bytes_per_second, link.bytes_per_second) << link.name;
  }
}

TEST(Profiles, AreNamedInAnyCaseAndByTheirMatches) {
  const Profiles profiles = Profiles::load();
  EXPECT_EQ(profiles.named("rtx 4090").name, "RTX 4090");
  EXPECT_EQ(profiles.named("sm_80").name, "A100");
  EXPECT_EQ(profiles.link_named("pcie 4").name, "PCIe 4 x16");
  try {
    (void)profiles.named("H1000");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::not_found);
    EXPECT_THAT(error.message(), HasSubstr("'H1000'"));
    EXPECT_THAT(error.message(), HasSubstr("RTX 4090"));
    EXPECT_THAT(error.message(), HasSubstr("Did you mean 'H100'?"));
  }
  EXPECT_THROW((void)profiles.named("generic cpu"), Error);
  EXPECT_THROW((void)profiles.link_named("PCIe"), Error);  // three begin so
  EXPECT_THROW((void)profiles.link_named(""), Error);
}

TEST(Profiles, OfTheUserComeFirst) {
  const ProfileFile file(kUsers);
  const Profiles profiles = Profiles::load(file.path());
  EXPECT_EQ(profiles.device("64 cores", true).name, "host");
  EXPECT_EQ(profiles.device("64 cores", true).flops.at(float32), 7e9);  // of the whole machine
  const DeviceProfile slow = profiles.device("NVIDIA H100 80GB HBM3", false);
  EXPECT_EQ(slow.name, "slow");
  EXPECT_EQ(slow.source, "simulated: measured");
  EXPECT_EQ(slow.memory_bytes, 1000);
  EXPECT_EQ(profiles.link("NVIDIA H100 80GB HBM3").name, "PCIe 3 x16");
  EXPECT_EQ(profiles.link("X1").bytes_per_second, 2e9);
  EXPECT_EQ(profiles.link("X1").pinned_bytes_per_second, 3e9);
  EXPECT_EQ(profiles.named("h100").name, "slow");
  EXPECT_EQ(profiles.device("Tesla T4", false).name, "T4");
}

// Numbers in `json` that stand in no {"value": ..., "source": ...}.
int without_source(const nlohmann::json& json) {
  if (json.is_number()) return 1;
  if (!json.is_structured()) return 0;
  if (json.contains("value") && !json.value("source", "").empty()) return 0;
  int count = 0;
  for (const nlohmann::json& member : json) count += without_source(member);
  return count;
}

TEST(Profiles, SayWhereEveryNumberIsFrom) {
  EXPECT_EQ(without_source(nlohmann::json::parse(embedded::profiles)), 0);
  EXPECT_EQ(without_source(nlohmann::json::parse(kUsers)), 13);
}

TEST(Profiles, RefuseWhatIsMalformedAndNameThePlace) {
  // A file in which `from` is replaced by `to`, and what the refusal says.
  struct Case {
    const char *from, *to, *says;
  };
  const Case cases[] = {
      {"{", "", "not JSON: parse error at line 2, column 11"},
      {"ferry.profiles/1", "ferry.profiles/2",
       R"($.schema: expected "ferry.profiles/1", got "ferry.profiles/2".)"},
      {R"("schema": "ferry.profiles/1",)", "", "$.schema: expected a value, got none."},
      {R"("devices": [)", R"("device": [)", "$.device: expected one of schema, devices, links"},
      {R"(["H100"])", R"("H100")", R"($.devices[1].match: expected a list, got "H100".)"},
      {"\"links\"", "\"devices\"", R"(the name "devices" stands twice in one object.)"},
      {R"({"name": "host",)", R"({"name": "",)", R"($.devices[0].name: expected a text)"},
      {R"("name": "slow")", R"("name": "HOST")",
       R"($.devices[1].name: expected a name that no other device has, got "HOST".)"},
      {R"("kind": "cpu")", R"("kind": "tpu")",
       R"($.devices[0].kind: expected "cpu" or "gpu", got "tpu".)"},
      {R"("kind": "cpu")", R"("kind": "gpu")", "$.devices[0].link: expected a value, got none."},
      {R"("kind": "gpu")", R"("kind": "cpu")", "$.devices[1].link: expected none"},
      {R"("link": "cable")", R"("link": "PCIe 3")",
       R"($.devices[2].link: expected the name of a link, got "PCIe 3".)"},
      {"7e9", "-7e9",
       "$.devices[0].flops.float32: expected a number from 1 to 1e+18, got -7000000000.0."},
      {"7e9", "\"7e9\"",
       R"($.devices[0].flops.float32: expected a number from 1 to 1e+18, got "7e9".)"},
      {"7e9", "1e999", "not JSON: number overflow"},
      {"7e9", "null", "got null."},
      {"7e9", "[7e9]", "got a list."},
      {"7e9", R"({"value": 7e9})",
       "$.devices[0].flops.float32.source: expected a value, got none."},
      {"7e9", R"({"value": 7e9, "source": "x", "unit": "s"})",
       "$.devices[0].flops.float32.unit: expected one of value, source"},
      {R"({"float32": 7e9})", R"({"float33": 7e9})",
       "$.devices[0].flops.float33: expected the rate of an element type"},
      {R"({"float32": 7e9})", R"({"float16": 7e9})",
       "$.devices[0].flops: expected a rate for float32 at least, got an object."},
      {"2e-8", "2", "$.devices[0].launch_seconds: expected a number from 0 to 1, got 2."},
      {R"("memory_bytes": 1000)", R"("memory_bytes": 1000.5)",
       "$.devices[1].memory_bytes: expected an integer from 1 to 1125899906842624, got 1000.5."},
      {R"("memory_bytes": 1000)", R"("memory_bytes": 18446744073709551615)",
       "$.devices[1].memory_bytes: expected an integer"},
      {R"("simulated": true)", R"("simulated": 1)",
       "$.devices[1].simulated: expected true or false, got 1."},
      {R"("simulated": true)", R"("simulatd": true)", "Did you mean 'simulated'?"},
      {R"("match": ["H100"])", R"("match": [3])",
       "$.devices[1].match[0]: expected a text that is not empty, got 3."},
      {R"("latency_seconds": 1e-5)", R"("latency": 1e-5)", "$.links[0].latency: expected one of"},
      {R"("latency_seconds": 1e-5)", R"("a b": 1)", R"($.links[0]["a b"]: expected one of)"},
  };
  for (const Case& c : cases) {
    std::string text(kUsers);
    const size_t at = text.find(c.from);
    ASSERT_NE(at, text.npos) << c.from;
    text.replace(at, std::string_view(c.from).size(), c.to);
    const ProfileFile file(text);
    try {
      (void)Profiles::load(file.path());
      ADD_FAILURE() << "not refused: " << c.from << " -> " << c.to;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
      EXPECT_THAT(error.message(), HasSubstr(file.path() + ": "));
      EXPECT_THAT(error.message(), HasSubstr(c.says));
    }
  }
}

TEST(Profiles, RefuseFilesThatAreMissingOrTooLong) {
  EXPECT_THROW((void)Profiles::load("/nowhere/profiles.json"), Error);
  EXPECT_THROW((void)Profiles::load("/dev/zero"), Error);
  const ProfileFile deep(std::string(1 << 19, '['));
  EXPECT_THROW((void)Profiles::load(deep.path()), Error);
  const ProfileFile longer(std::string((1 << 20) + 1, ' '));
  EXPECT_THROW((void)Profiles::load(longer.path()), Error);
}

// A file is read whole or refused, whatever stands in it.
TEST(Profiles, SurviveAnyBytes) {
  constexpr uint32_t kSeed = 7;
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  std::mt19937 random(kSeed);
  int loaded = 0;
  for (int i = 0; i < 2000; ++i) {
    std::string text(kUsers);
    for (uint32_t change = 0; change <= random() % 3; ++change) {
      const size_t at = random() % text.size();
      switch (random() % 3) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.erase(at, random() % 20);
          break;
        default:
          text.insert(at, text.substr(random() % text.size(), random() % 20));
      }
    }
    const ProfileFile file(text);
    try {
      const Profiles profiles = Profiles::load(file.path());
      for (const DeviceProfile& device : profiles.devices()) {
        ASSERT_TRUE(std::isfinite(device.bytes_per_second)) << text;
      }
      ++loaded;
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), ErrorCode::invalid_argument) << text;
    }
  }
  EXPECT_GT(loaded, 20);
}

TEST(AssumedDevice, IsAProfileWithItsMemoryAndLink) {
  const auto parsed = [](std::string_view text) {
    const AssumedDevice device = AssumedDevice::parse(text);
    return device.profile + "|" + std::to_string(device.memory_bytes) + "|" + device.link;
  };
  EXPECT_EQ(parsed("T4"), "T4|0|");
  EXPECT_EQ(parsed("sm_90,80GiB"), "sm_90|85899345920|");
  EXPECT_EQ(parsed("rtx 4090, PCIe 3"), "rtx 4090|0|PCIe 3 x16");
  EXPECT_EQ(parsed("H100,PCIe 4 x16,1 GiB"), "H100|1073741824|PCIe 4 x16");
  const ProfileFile file(kUsers);
  EXPECT_EQ(AssumedDevice::parse("slow,cable", file.path()).link, "cable");
}

TEST(AssumedDevice, RefusesWhatItDoesNotKnow) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "a part of it is empty"},
      {"T4,", "a part of it is empty"},
      {"sm_91", "Did you mean 'sm_90'?"},
      {"slow", "no profile of a GPU is called 'slow'"},
      {"T4,80GB", "'80GB' is no number of bytes"},
      {"T4,0", "'0' is no number of bytes"},
      {"T4,1GiB,2GiB", "its memory stands twice"},
      {"T4,PCIe 3,PCIe 4", "its link stands twice"},
      {"T4,PCIe 6", "no profile of a link is called 'PCIe 6'"},
  };
  for (const auto& [text, says] : cases) {
    try {
      (void)AssumedDevice::parse(text);
      ADD_FAILURE() << "not refused: " << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument) << text;
      EXPECT_THAT(error.message(), HasSubstr(says)) << text;
    }
  }
}

}  // namespace
}  // namespace ferry
