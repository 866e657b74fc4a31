#pragma once

#include <string>
#include <vector>

#include "ferry/placement.h"

// Limits that a placement must keep, as `--fail-on fallback,copies>4,bytes>1MiB,cpu_flops>1%`:
//
//   fallback      no node is on the CPU because the devices that were asked for could not have it.
//                 Those that are there by choice do not count: host_value, host_port, cheaper_here,
//                 pinned; nor does control flow
//   copies>N      copies of a run, counted once however often a body makes them
//   bytes>N       bytes of a run; B, KiB, MiB or GiB may follow the number. Passed as well when
//                 only data or the number of trips decides how many there are
//   cpu_flops>P%  the CPU's share of the arithmetic of a run. Host values count on neither side:
//                 they are on the CPU by design, and their arithmetic is that of sizes
namespace ferry::cli {

struct Limit {
  std::string text;  // as it was written
  std::vector<std::string> (*offenders)(const Placement& placement, double most, std::string& told);
  double most = 0;
};

// Throws Error invalid_argument, with the nearest word, for what is no limit.
std::vector<Limit> parse_limits(const std::string& text);

// A sentence for each limit that `placement` passes, with the nodes or copies that pass it, dearest
// first: a few by name, the others by number.
std::vector<std::string> passed_limits(const Placement& placement,
                                       const std::vector<Limit>& limits);

}  // namespace ferry::cli
