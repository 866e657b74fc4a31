#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ferry/placement.h"

// Files that say where nodes go (PlacementRule::load_map).
namespace ferry {

// The rule that puts the node of this name on `device`, as `file` has it.
PlacementRule map_rule(std::string_view name, Device device, std::string_view file);

// Of a report, or of {"nodes": {"/enc/MatMul": "cuda:0"}}: a rule for each node, in the
// report's order or by name. `fingerprint` is the model's; "" takes reports of every model. Throws
// Error invalid_argument: what read_report() throws, a member or device that is not known, with the
// nearest, a map without nodes, a report with another fingerprint.
std::vector<PlacementRule> read_map(std::string_view text, std::string_view file,
                                    std::string_view fingerprint);

}  // namespace ferry
