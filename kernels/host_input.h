#pragma once

#include <optional>
#include <vector>

#include "kernels/kernel.h"

namespace ferry {

// The numbers of a small integer input on the host (starts, pads, axes): known in prepare() where
// the input is a constant, read in run() otherwise. An absent input has none.
class HostInts {
 public:
  HostInts() = default;
  HostInts(const NodeFacts& node, int input);

  bool present() const { return present_; }
  // True when read() needs no context.
  bool constant() const { return !present_ || values_.has_value(); }
  std::vector<int64_t> read(const RunContext* context) const;

 private:
  int input_ = 0;
  bool present_ = false;
  DType dtype_ = DType::undefined;
  int64_t count_ = 0;
  std::optional<std::vector<int64_t>> values_;
};

}  // namespace ferry
