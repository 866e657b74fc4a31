#include "kernels/limits.h"

#include "core/checked.h"

namespace ferry {
namespace {

// At most `most` + 1; 0 while sizes are not known.
int64_t elements_up_to(const TensorFacts& facts, int64_t most) {
  if (!facts.present || !facts.concrete()) return 0;
  int64_t count = 1;
  bool beyond = false;
  for (const int64_t size : facts.shape) {
    if (size == 0) return 0;
    count = checked_mul(count, size).value_or(most + 1);
    beyond = beyond || count > most;
    if (beyond) count = 1;
  }
  return beyond ? most + 1 : count;
}

}  // namespace

Support within_elements(const NodeFacts& node, int64_t most) {
  for (const auto* ports : {&node.inputs, &node.outputs}) {
    for (size_t i = 0; i < ports->size(); ++i) {
      if (elements_up_to((*ports)[i], most) <= most) continue;
      return Support::no(ReasonCode::size_limit,
                         std::string(ports == &node.inputs ? "input " : "output ") +
                             std::to_string(i) + " has the shape " +
                             to_string(std::span<const int64_t>((*ports)[i].shape)) +
                             ", and the kernel counts up to " + std::to_string(most) + " elements");
    }
  }
  return Support::yes();
}

}  // namespace ferry
