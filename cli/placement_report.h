#pragma once

#include <string>

#include "ferry/placement.h"

// What `ferry place` makes of a placement besides its own text and JSON.
namespace ferry::cli {

// One node: where it runs and why, why not elsewhere, and what is copied for it and of it. Throws
// Error not_found, with the nearest name.
std::string explain_node(const Placement& placement, const std::string& name);

// One line for each node: name, op, device, reason, detail, island.
std::string placement_csv(const Placement& placement);
// Tables for a pull request.
std::string placement_markdown(const Placement& placement);

}  // namespace ferry::cli
