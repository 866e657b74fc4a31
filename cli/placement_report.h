#pragma once

#include <string>
#include <vector>

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

// Limits that a placement must keep, "fallback,copies>4,bytes>1MiB":
//   fallback   a node is not on the requested device; those that are better on the host
//   (host_value,
//              host_port, cheaper_here) do not count
//   copies>N   copies of each run
//   bytes>N    bytes of each run; B, KiB, MiB or GiB may follow. Passed as well when only data or
//              the number of trips decides how many there are
// Returns a sentence for each limit that is passed. Throws Error invalid_argument for other words.
std::vector<std::string> passed_limits(const Placement& placement, const std::string& limits);

}  // namespace ferry::cli
