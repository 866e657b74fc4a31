#include "kernels/cuda/library.h"

#include <dlfcn.h>
#include <glob.h>

#include <cstdlib>
#include <string_view>

namespace ferry::cuda {
namespace {

void add_list(std::vector<std::string>& folders, const char* variable) {
  const char* value = std::getenv(variable);
  std::string_view rest = value ? value : "";
  while (!rest.empty()) {
    const size_t colon = rest.find(':');
    if (colon != 0) folders.emplace_back(rest.substr(0, colon));
    rest.remove_prefix(colon == rest.npos ? rest.size() : colon + 1);
  }
}

void add_matches(std::vector<std::string>& folders, const std::string& pattern) {
  glob_t matches{};
  if (glob(pattern.c_str(), 0, nullptr, &matches) == 0) {
    for (size_t i = 0; i < matches.gl_pathc; ++i) folders.emplace_back(matches.gl_pathv[i]);
  }
  globfree(&matches);
}

// "" stands for where the system looks.
std::vector<std::string> folders_to_search() {
  std::vector<std::string> folders;
  add_list(folders, "FERRY_CUDA_PATH");
  folders.emplace_back();
  std::vector<std::string> toolkits;
  for (const char* variable : {"CUDA_HOME", "CUDA_PATH"}) {
    if (const char* home = std::getenv(variable)) toolkits.emplace_back(home);
  }
  toolkits.emplace_back("/usr/local/cuda");
  for (const std::string& home : toolkits) folders.push_back(home + "/lib64");
  std::vector<std::string> packages;
  if (const char* environment = std::getenv("VIRTUAL_ENV")) {
    packages.push_back(std::string(environment) + "/lib/python3*/site-packages");
  }
  packages.emplace_back("/usr/local/lib/python3*/dist-packages");
  packages.emplace_back("/usr/local/lib/python3*/site-packages");
  packages.emplace_back("/usr/lib/python3/dist-packages");
  for (const std::string& folder : packages) add_matches(folders, folder + "/nvidia/*/lib");
  return folders;
}

}  // namespace

Library::Library(std::vector<std::string> names) {
  std::string searched;
  for (const std::string& folder : folders_to_search()) {
    for (const std::string& name : names) {
      const std::string path = folder.empty() ? name : folder + "/" + name;
      handle_ = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
      if (handle_) {
        path_ = path;
        return;
      }
    }
    searched += (searched.empty() ? "" : ", ") + (folder.empty() ? "the system's path" : folder);
  }
  error_ = names.front() + " was not found in " + searched;
}

void* Library::symbol(const char* name) {
  void* found = handle_ ? dlsym(handle_, name) : nullptr;
  if (!found && error_.empty()) error_ = path_ + " has no symbol " + name;
  return found;
}

}  // namespace ferry::cuda
