#pragma once

#include <string_view>

#include "ferry/placement.h"

namespace ferry::testing {

// A request whose device runs every node that it can, however small: what is tested is that device.
inline PlacementRequest device_first(std::string_view devices) {
  PlacementRequest request = PlacementRequest::parse(devices);
  request.policy = PlacementPolicy::device_first;
  return request;
}

}  // namespace ferry::testing
