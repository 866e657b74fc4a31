#include "placement/solve/cost.h"

#include <algorithm>
#include <cmath>

#include "graph/ops/cost.h"

namespace ferry {
namespace {

// The sizes of one value.
std::vector<double> sizes_of(const Type& type, AssumedSizes& sizes) {
  std::vector<double> out;
  if (!type.shape) return out;
  for (const Dim& dim : *type.shape) out.push_back(static_cast<double>(sizes.of(dim).value_or(1)));
  return out;
}

int64_t picoseconds(double seconds) {
  return static_cast<int64_t>(std::llround(std::min(seconds, 1e6) * 1e12));
}

}  // namespace

double assumed_bytes(const Type& type, AssumedSizes& sizes) {
  if (!type.shape || type.dtype == DType::undefined) return 0;
  return std::ceil(product(sizes_of(type, sizes)) * dtype_bits(type.dtype) / 8);
}

Work work_of(const Graph& graph, const Node& node, AssumedSizes& sizes) {
  Work work;
  NodeSizes numbers{node.attributes, {}, {}};
  const OpRule& rule = node.op.rule();
  const auto add = [&](ValueId id, std::vector<std::vector<double>>& to, bool counts) {
    const Type type = id == kNoValue ? Type() : graph.value(id).type;
    to.push_back(sizes_of(type, sizes));
    if (counts) work.bytes += assumed_bytes(type, sizes);
  };
  for (const ValueId id : node.inputs) add(id, numbers.inputs, rule.traffic == Traffic::all);
  for (const ValueId id : node.outputs) add(id, numbers.outputs, rule.traffic != Traffic::view);
  if (!node.inputs.empty() && node.inputs[0] != kNoValue) {
    work.dtype = graph.value(node.inputs[0]).type.dtype;
  }
  work.is_view = rule.traffic == Traffic::view;
  work.flops = rule.flops(numbers);
  return work;
}

int64_t node_picoseconds(const Work& work, const DeviceProfile& device) {
  if (work.is_view) return 0;
  auto rate = device.flops.find(work.dtype);
  if (rate == device.flops.end()) rate = device.flops.find(DType::float32);
  const double arithmetic = rate == device.flops.end() ? 0 : work.flops / rate->second;
  const double traffic = work.bytes / device.bytes_per_second;
  return picoseconds(device.launch_seconds + std::max(arithmetic, traffic));
}

int64_t copy_picoseconds(double bytes, const LinkProfile& link) {
  return picoseconds(link.latency_seconds + bytes / link.bytes_per_second);
}

}  // namespace ferry
