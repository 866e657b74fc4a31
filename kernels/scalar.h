#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/convert.h"
#include "kernels/kernel.h"

// Inputs that are one number: a ratio, a limit, an axis. Whatever reads one goes through here, so
// that nothing reads element 0 of a tensor that has none.
namespace ferry {

// Throws Error runtime unless input `input` has exactly one element. `name` is the operator's word
// for it.
void expect_one_element(const NodeFacts& node, int input, std::string_view name);

// One number that run() reads. Made in prepare(), which refuses a tensor of any other count.
class ScalarInput {
 public:
  ScalarInput() = default;  // an absent one
  // Input `input` of the node, which may be absent. Throws as expect_one_element.
  ScalarInput(const NodeFacts& node, int input, std::string_view name);

  bool is_present() const { return input_ >= 0; }
  // Its address (of a host input on the host, else on the device); nullptr where it is absent.
  const void* address(const RunContext& context) const {
    return is_present() ? context.inputs[input_] : nullptr;
  }
  template <typename T>
  const T* pointer(const RunContext& context) const {
    return static_cast<const T*>(address(context));
  }
  // For kernels of the CPU and for host inputs. T must be its type.
  template <typename T>
  T value(const RunContext& context, T otherwise) const {
    return is_present() ? *pointer<T>(context) : otherwise;
  }
  double as_double(const RunContext& context, double otherwise) const {
    return is_present() ? load_as_double(dtype_, address(context), 0) : otherwise;
  }

 private:
  int input_ = -1;
  DType dtype_ = DType::undefined;
};

// In prepare(): the one integer of a host input (Kernel::host_inputs); nullopt where it is absent.
std::optional<int64_t> host_scalar(const NodeFacts& node, int input, std::string_view name);

}  // namespace ferry
