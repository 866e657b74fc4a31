#include "core/files.h"
#include "ferry/error.h"
#include "ferry/placement.h"
#include "importer/format/annotations.h"
#include "placement/report/map.h"

namespace ferry {

std::vector<PlacementRule> PlacementRule::load_map(const std::string& path,
                                                   std::string_view fingerprint) {
  if (path.ends_with(".json")) return read_map(read_file(path), path, fingerprint);
  if (path.ends_with(".onnx")) {
    std::vector<PlacementRule> rules;
    for (const AnnotatedNode& node : read_annotations(path)) {
      rules.push_back(map_rule(node.path, node.device, path));
      if (node.is_call) rules.back().pattern += "/*";  // what the call became
    }
    return rules;
  }
  throw Error(ErrorCode::invalid_argument,
              "'" + path +
                  "': a map of nodes to devices is a .json file, a report among them, or an .onnx "
                  "file with devices on its nodes.");
}

}  // namespace ferry
