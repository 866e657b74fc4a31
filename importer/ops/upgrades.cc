#include "importer/ops/upgrades.h"

#include <optional>
#include <vector>

#include "graph/limits.h"
#include "importer/node_reader.h"
#include "importer/problems.h"

namespace ferry {

void read_broadcast(NodeReader& reader) {
  if (reader.opset() >= 7) return;
  const int64_t* axis = reader.old().find<int64_t>("axis");
  if (reader.old().get_int("broadcast") != 0 && axis != nullptr) align_axis(reader, *axis);
}

void align_axis(NodeReader& reader, int64_t axis) {
  std::optional<int64_t> rank = reader.rank(0), inner = reader.rank(1);
  ValueId value = reader.input(1);
  if (axis < -kMaxRank || axis > kMaxRank) {
    fail(ProblemCode::attribute, "the axis to broadcast from is out of range");
  }
  if (rank && inner) {
    int64_t start = axis < 0 ? axis + *rank : axis;
    int64_t trailing = *rank - start - *inner;
    if (start < 0 || trailing < 0) {
      fail(ProblemCode::attribute, "the axis to broadcast from is out of range");
    }
    if (trailing == 0) return;
    std::vector<int64_t> axes;
    for (int64_t i = 0; i < trailing; ++i) axes.push_back(*inner + i);
    reader.set_input(1, reader.emit("Unsqueeze", {value, reader.int_list(axes, "axes")}));
    return;
  }
  // The ranks are not known while importing: the shape is computed, and folded once they are. As
  // shapes of shapes, ranks are tensors of one element.
  ValueId shape = reader.emit("Shape", {value});
  ValueId inner_rank = reader.emit("Shape", {shape});
  ValueId count;
  if (axis < 0) {
    count = reader.emit("Sub", {reader.int_list({-axis}, "axis"), inner_rank});
  } else {
    ValueId outer_rank = reader.emit("Shape", {reader.emit("Shape", {reader.input(0)})});
    count = reader.emit("Sub", {outer_rank, inner_rank});
    if (axis > 0) count = reader.emit("Sub", {count, reader.int_list({axis}, "axis")});
  }
  Attributes one;
  one.set("value", Tensor::from(std::vector<int64_t>{1}));
  ValueId ones = reader.emit("ConstantOfShape", {count}, std::move(one));
  Attributes first_axis;
  first_axis.set("axis", int64_t{0});
  ValueId target = reader.emit("Concat", {shape, ones}, std::move(first_axis));
  reader.set_input(1, reader.emit("Reshape", {value, target}));
}

}  // namespace ferry
