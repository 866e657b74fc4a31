#include "kernels/pad.h"

#include <limits>

#include "core/checked.h"
#include "ferry/error.h"
#include "kernels/axis.h"
#include "kernels/host_input.h"

namespace ferry {
namespace {

// Positions and pads beyond half of what an int64 holds have no difference.
constexpr int64_t kFarthest = std::numeric_limits<int64_t>::max() / 2;

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
      value(node, 2, "constant_value"),
      before(input.size(), 0) {
  for (const auto& [name, named] : kModes) {
    if (name == node.attributes->get_string("mode")) mode = named;
  }
  const std::vector<int64_t> pads = host_ints(node, 1);
  const std::vector<int64_t> axes = host_ints(node, 3);
  const auto rank = static_cast<int64_t>(input.size());
  const size_t count = node.has_input(3) ? axes.size() : input.size();
  if (pads.size() != 2 * count) {
    throw Error(ErrorCode::runtime, "there are " + std::to_string(pads.size()) +
                                        " pads, expected two for each of " + std::to_string(count) +
                                        " axes");
  }
  std::vector<int64_t> after(input.size(), 0);
  for (size_t i = 0; i < count; ++i) {
    const int64_t axis = host_axis(node.has_input(3) ? axes[i] : static_cast<int64_t>(i), rank);
    before[axis] = pads[i];
    after[axis] = pads[count + i];
  }
  for (size_t i = 0; i < input.size(); ++i) {
    const auto begun = checked_add(input[i], before[i]);
    const auto padded = begun ? checked_add(*begun, after[i]) : std::nullopt;
    if (padded && *padded == output[i] && before[i] >= -kFarthest && before[i] <= kFarthest) {
      continue;
    }
    throw Error(ErrorCode::runtime, "axis " + std::to_string(i) + " of size " +
                                        std::to_string(input[i]) + " is padded by " +
                                        std::to_string(before[i]) + " and " +
                                        std::to_string(after[i]) + ", expected " +
                                        std::to_string(output[i]) + " of the output");
  }
  if (numel_of(input) == 0 && mode != PadMode::constant) {
    throw Error(ErrorCode::runtime, "an input without elements can only be padded by a constant");
  }
}

}  // namespace ferry
