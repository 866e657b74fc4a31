#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace ferry::cuda {

// A vendor library that is opened at run time. Looked for in the folders of FERRY_CUDA_PATH, where
// the system looks, in CUDA_HOME and the usual places of the toolkit, and in NVIDIA's Python wheels
// of the active virtual environment or the system. A missing library or symbol is a text, not an
// exception. Stays open until the process ends.
class Library {
 public:
  // The first of `names` ("libcudnn.so.9") that can be opened.
  explicit Library(std::vector<std::string> names);

  bool loaded() const { return handle_ != nullptr; }
  const std::string& path() const { return path_; }
  // Why it is not usable: not found (and where it was looked for), or a symbol is missing.
  const std::string& error() const { return error_; }

  // Sets `function` to the symbol; remembers the first one that is missing.
  template <typename F>
  void find(F*& function, const char* name) {
    function = reinterpret_cast<F*>(symbol(name));
  }

 private:
  void* symbol(const char* name);

  void* handle_ = nullptr;
  std::string path_, error_;
};

// The one `Symbols` of the process: a struct that opens its Library and finds its functions.
template <typename Symbols>
const Symbols& loaded() {
  static const Symbols& symbols = *new Symbols;
  return symbols;
}

// What a library keeps for each device, made when it is first asked for. Any thread may ask.
template <typename T>
class PerDevice {
 public:
  // make(value) has filled the value of `device`, which stays until the process ends.
  template <typename Make>
  T& of(int device, Make&& make) {
    const std::lock_guard lock(mutex_);
    const auto [entry, added] = values_.try_emplace(device);
    if (added) make(entry->second);
    return entry->second;
  }

 private:
  std::mutex mutex_;
  std::map<int, T> values_;
};

}  // namespace ferry::cuda
