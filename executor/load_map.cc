#include "core/files.h"
#include "ferry/error.h"
#include "ferry/placement.h"
#include "placement/map.h"

namespace ferry {

std::vector<PlacementRule> PlacementRule::load_map(const std::string& path,
                                                   std::string_view fingerprint) {
  if (path.ends_with(".json")) return read_map(read_file(path), path, fingerprint);
  throw Error(ErrorCode::invalid_argument,
              "'" + path + "': a map of nodes to devices is a .json file, a report among them.");
}

}  // namespace ferry
