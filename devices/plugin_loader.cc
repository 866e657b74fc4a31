#include "devices/plugin_loader.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <vector>

#include "core/log.h"

namespace ferry {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLibrary = "libferry_cuda.so";

std::vector<std::string> folders_to_search() {
  std::vector<std::string> folders;
  if (const char* paths = std::getenv("FERRY_CUDA_PATH")) {
    std::string_view rest = paths;
    while (!rest.empty()) {
      const size_t colon = rest.find(':');
      if (colon != 0) folders.emplace_back(rest.substr(0, colon));
      rest.remove_prefix(colon == rest.npos ? rest.size() : colon + 1);
    }
  }
  Dl_info here{};
  if (dladdr(reinterpret_cast<void*>(&folders_to_search), &here) != 0 && here.dli_fname) {
    folders.push_back(fs::path(here.dli_fname).parent_path());
  }
  std::error_code ignored;
  const std::string program = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  if (!program.empty() && std::ranges::find(folders, program) == folders.end()) {
    folders.push_back(program);
  }
  return folders;
}

const DevicePlugin* open_file(const std::string& path, std::string* why) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  const auto fail = [&](const std::string& text) {
    if (why) *why = text;
    return nullptr;
  };
  if (!library) return fail(dlerror());
  const auto entry = reinterpret_cast<const DevicePlugin* (*)()>(dlsym(library, kCudaPluginSymbol));
  if (!entry) return fail(path + " has no symbol " + kCudaPluginSymbol);
  const DevicePlugin* plugin = entry();
  if (plugin->abi != kPluginAbi) {
    return fail(path + " has ABI " + std::to_string(plugin->abi) + ", Ferry itself " +
                std::to_string(kPluginAbi) + "; install both of one version (" + kPluginVersion +
                ")");
  }
  return plugin;
}

}  // namespace

const DevicePlugin* open_cuda_plugin(std::span<const std::string> folders, std::string* why) {
  std::string searched;
  for (const std::string& folder : folders) {
    const std::string path = (fs::path(folder) / kLibrary).string();
    std::error_code ignored;
    if (fs::exists(path, ignored)) {  // the first one is the one
      std::string reason;
      const DevicePlugin* plugin = open_file(path, &reason);
      if (!plugin) log(LogLevel::warning, "the CUDA backend cannot be used: " + reason);
      if (why && !plugin) *why = reason;
      return plugin;
    }
    searched += (searched.empty() ? "" : ", ") + (folder.empty() ? "." : folder);
  }
  std::string system_says;
  const DevicePlugin* from_system = open_file(kLibrary, &system_says);
  if (!from_system) {
    const std::string reason = std::string(kLibrary) + " was not found in " + searched +
                               " or the system's library path (" + system_says + ")";
    log(LogLevel::debug, "no CUDA backend: " + reason);
    if (why) *why = reason;
  }
  return from_system;
}

const DevicePlugin* cuda_plugin(std::string* why) {
  static std::string reason;
  static const DevicePlugin* const plugin = open_cuda_plugin(folders_to_search(), &reason);
  if (why && !plugin) *why = reason;
  return plugin;
}

}  // namespace ferry
