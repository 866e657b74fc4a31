#include <string>

#include "importer/node_reader.h"
#include "importer/ops/rows.h"

namespace ferry {
namespace {

constexpr std::string_view kRoiCoordinates[] = {"half_pixel", "output_half_pixel"};
constexpr std::string_view kRoiModes[] = {"avg", "max"};
constexpr AttrSpec kNonMaxSuppression[] = {
    flag("center_point_box", false),
};
constexpr AttrSpec kRoiAlign[] = {
    text("coordinate_transformation_mode", "half_pixel", kRoiCoordinates).since(16),
    text("mode", "avg", kRoiModes),
    integer("output_height", 1),
    integer("output_width", 1),
    integer("sampling_ratio", 0),
    real("spatial_scale", 1.0f),
};

// RoiAlign below 16 has no half-pixel shift.
void read_roi_align(NodeReader& reader) {
  if (reader.opset() < 16) {
    reader.attributes().set("coordinate_transformation_mode", std::string("output_half_pixel"));
  }
}

constexpr OpRow kRows[] = {
    // NonMaxSuppression(boxes, scores, max_output_boxes_per_class?, iou_threshold?,
    // score_threshold?) -> selected_indices
    {.op = "NonMaxSuppression",
     .since = {10, 11},
     .inputs = {2, 5},
     .attributes = kNonMaxSuppression},
    // RoiAlign(X, rois, batch_indices) -> Y
    {.op = "RoiAlign",
     .since = {10, 16, 22},
     .inputs = 3,
     .attributes = kRoiAlign,
     .read = read_roi_align},
};

}  // namespace

std::span<const OpRow> object_detection_rows() { return kRows; }

}  // namespace ferry
