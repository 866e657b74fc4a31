#include "kernels/pad.h"

#include "ferry/error.h"
#include "kernels/axis.h"

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
      pads_(node, 1),
      axes_(node, 3) {
  for (const auto& [name, value] : kModes) {
    if (name == node.attributes->get_string("mode")) mode = value;
  }
}

std::vector<int64_t> PadForm::before(const RunContext& context) const {
  const std::vector<int64_t> pads = pads_.read(&context);
  const std::vector<int64_t> axes = axes_.read(&context);
  const auto rank = static_cast<int64_t>(input.size());
  std::vector<int64_t> before(input.size(), 0);
  for (size_t i = 0; i < pads.size() / 2; ++i) {
    const int64_t axis = axes_.present() ? axis_of(axes[i], rank) : static_cast<int64_t>(i);
    if (axis < 0 || axis >= rank) {
      throw Error(ErrorCode::runtime, "an axis of the padding is outside the input's " +
                                          std::to_string(rank) + " axes");
    }
    before[axis] = pads[i];
  }
  if (product(input) == 0 && mode != PadMode::constant) {
    throw Error(ErrorCode::runtime, "an input without elements can only be padded by a constant");
  }
  return before;
}

}  // namespace ferry
