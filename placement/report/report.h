#pragma once

#include <string>
#include <string_view>

#include "placement/placement.h"

// The faces of a placement's report. Each is a function of the placement and, where it is given, of
// what one run measured; equal input gives equal bytes. Every face says what is simulated or
// assumed.
namespace ferry {

// One line; see Placement::summary.
std::string placement_summary(const PlacementData& data);

// For people, in lines as long as the names in them.
std::string placement_text(const PlacementData& data, const MeasuredRun* measured = nullptr);

// One node or the copies of one value; see Placement::why.
std::string placement_why(const PlacementData& data, std::string_view name);

// Schema ferry.placement/1, in lines that people can read or, `compact`, as one that stays within
// a <script> of HTML whatever names the model has.
enum class JsonForm : uint8_t { lines, compact };
std::string placement_json(const PlacementData& data, const MeasuredRun* measured = nullptr,
                           JsonForm form = JsonForm::lines);

// Tables that fit a comment of a pull request.
std::string placement_markdown(const PlacementData& data, const MeasuredRun* measured = nullptr);

// One line for each node, RFC 4180.
std::string placement_csv(const PlacementData& data, const MeasuredRun* measured = nullptr);

// Graphviz: islands are clusters. Above 1,500 nodes the islands alone.
std::string placement_dot(const PlacementData& data);

// Node data of Google's Model Explorer: device, seconds and bytes on each ONNX node.
std::string placement_model_explorer(const PlacementData& data,
                                     const MeasuredRun* measured = nullptr);

// One page that needs nothing else.
std::string placement_html(const PlacementData& data, const MeasuredRun* measured = nullptr);

}  // namespace ferry
