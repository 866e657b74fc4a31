#include "kernels/pad.h"

#include "ferry/error.h"
#include "kernels/axis.h"
#include "kernels/host_input.h"

namespace ferry {
namespace {

constexpr std::pair<std::string_view, PadMode> kModes[] = {
    {"constant", PadMode::constant},
    {"edge", PadMode::edge},
    {"reflect", PadMode::reflect},
    {"wrap", PadMode::wrap},
};

}  // namespace

PadForm::PadForm(const NodeFacts& node)
    : input(node.input(0).shape),
      output(node.output(0).shape),
      has_value(node.has_input(2)),
      before(input.size(), 0) {
  for (const auto& [name, value] : kModes) {
    if (name == node.attributes->get_string("mode")) mode = value;
  }
  const std::vector<int64_t> pads = host_ints(node, 1);
  const std::vector<int64_t> axes = host_ints(node, 3);
  const auto rank = static_cast<int64_t>(input.size());
  for (size_t i = 0; i < pads.size() / 2; ++i) {
    before[host_axis(node.has_input(3) ? axes[i] : static_cast<int64_t>(i), rank)] = pads[i];
  }
  if (product(input) == 0 && mode != PadMode::constant) {
    throw Error(ErrorCode::runtime, "an input without elements can only be padded by a constant");
  }
}

}  // namespace ferry
