#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "core/function_ref.h"
#include "core/lazy.h"
#include "ferry/tensor.h"
#include "placement/placement.h"

namespace ferry {

// Weights on their devices, and packed for kernels: each once, however many plans use it.
// Thread-safe.
class WeightStore {
 public:
  Tensor on(const Tensor& weight, Device device);
  std::shared_ptr<const void> packed(const Tensor& weight, std::string_view layout,
                                     FunctionRef<std::shared_ptr<const void>()> make);
  // Drops every upload that `homes` has not, and what was packed of weights that are not on the CPU
  // in it.
  void keep_only(const WeightHomes& homes);
  int64_t uploaded_bytes(Device device) const;

 private:
  // What was made of a weight; the weight is held so that its storage's address stays its own.
  template <typename T>
  struct Made {
    Tensor source;
    std::shared_ptr<Lazy<T>> value = std::make_shared<Lazy<T>>();
  };

  mutable std::mutex mutex_;  // of the maps, not of what is made
  std::map<std::pair<const void*, Device>, Made<Tensor>> uploads_;
  std::map<std::pair<const void*, std::string>, Made<std::shared_ptr<const void>>> packed_;
};

}  // namespace ferry
