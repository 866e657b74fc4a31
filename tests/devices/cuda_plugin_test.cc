#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <fstream>

#include "devices/plugin_loader.h"

// How libferry finds and refuses the library of the CUDA backend, and what that library says on
// this machine.
namespace ferry {
namespace {

using ::testing::HasSubstr;

TEST(CudaPluginTest, SaysWhereItLooked) {
  const std::array<std::string, 2> folders{"/nowhere/a", "/nowhere/b"};
  std::string why;
  EXPECT_EQ(open_cuda_plugin(folders, &why), nullptr);
  EXPECT_THAT(why, HasSubstr("libferry_cuda.so was not found in /nowhere/a, /nowhere/b or"));
}

TEST(CudaPluginTest, RefusesWhatIsNotItsLibrary) {
  struct Case {
    const char* folder;
    const char* words;
  };
  const std::string text_folder = ::testing::TempDir() + "ferry_text_plugin";
  ASSERT_EQ(std::system(("mkdir -p " + text_folder).c_str()), 0);
  std::ofstream(text_folder + "/libferry_cuda.so") << "not a library";
  const Case cases[] = {
      {text_folder.c_str(), "libferry_cuda.so"},
      {FAKE_PLUGIN_FOLDER "/empty", "has no symbol ferry_cuda_plugin"},
      {FAKE_PLUGIN_FOLDER "/old", "has ABI 0, Ferry itself 1; install both of one version"},
  };
  for (const Case& c : cases) {
    const std::array<std::string, 1> folders{c.folder};
    std::string why;
    EXPECT_EQ(open_cuda_plugin(folders, &why), nullptr) << c.folder;
    EXPECT_THAT(why, HasSubstr(c.words));
  }
}

#ifdef CUDA_PLUGIN_FOLDER
TEST(CudaPluginTest, TheOneThatWasBuiltLoads) {
  const std::array<std::string, 1> folders{CUDA_PLUGIN_FOLDER};
  std::string why;
  const DevicePlugin* plugin = open_cuda_plugin(folders, &why);
  ASSERT_NE(plugin, nullptr) << why;
  // With a GPU there is a device, without one there is a reason.
  const int devices = plugin->device_count(&why);
  EXPECT_EQ(devices == 0, !why.empty()) << why;
}

TEST(CudaPluginTest, EverySymbolOfTheVendorLibrariesIsFoundWhereTheyAre) {
  const std::array<std::string, 1> folders{CUDA_PLUGIN_FOLDER};
  const DevicePlugin* plugin = open_cuda_plugin(folders, nullptr);
  ASSERT_NE(plugin, nullptr);
  const std::string missing = plugin->missing_libraries();
  EXPECT_THAT(missing, ::testing::Not(HasSubstr("has no symbol")));
  if (!missing.empty()) {
    EXPECT_THAT(missing, HasSubstr("was not found in"));
  }
}
#endif

}  // namespace
}  // namespace ferry
