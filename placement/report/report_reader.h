#pragma once

#include <memory>
#include <string_view>

#include "placement/placement.h"

namespace ferry {

// Reads a report back (schema ferry.placement/1, as Placement::json() writes it). Members that the
// first reports did not have may be absent, and are then as in a PlacementData that nobody filled;
// members that this version does not know are ignored, as the schema only ever grows. The graph of
// the result has opsets and nothing else: such data is for comparing and showing, not for running.
//
// `file` names the text in messages. Throws Error invalid_argument, naming the place in the JSON,
// what was expected there and what came: no JSON, another schema, a value of another kind or out of
// range, a node that is there twice, a copy from a device to itself, more than 512 MiB.
std::shared_ptr<PlacementData> read_report(std::string_view text, std::string_view file);

// The same of parsed JSON, and whether that says of itself that it is a report.
class JsonValue;
std::shared_ptr<PlacementData> read_report(const JsonValue& json);
bool is_report(const JsonValue& json);

}  // namespace ferry
