#include "placement/cost.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace ferry {
namespace {

// The sizes of one value.
std::vector<double> sizes_of(const Type& type, AssumedSizes& sizes) {
  std::vector<double> out;
  if (!type.shape) return out;
  for (const Dim& dim : *type.shape) out.push_back(static_cast<double>(sizes.of(dim).value_or(1)));
  return out;
}

double product(const std::vector<double>& sizes) {
  double result = 1;
  for (const double size : sizes) result *= size;
  return result;
}

// What a formula of the table sees.
struct Shapes {
  std::vector<std::vector<double>> inputs, outputs;
  const Node& node;

  double input(size_t i, size_t axis) const {
    return i < inputs.size() && axis < inputs[i].size() ? inputs[i][axis] : 1;
  }
  double input_size(size_t i) const { return i < inputs.size() ? product(inputs[i]) : 0; }
  double output_size() const { return outputs.empty() ? 0 : product(outputs[0]); }
};

// Two operations for each term of the sums.
double matmul(const Shapes& s) {
  return 2 * s.output_size() * (s.inputs[0].empty() ? 1 : s.inputs[0].back());
}
double gemm(const Shapes& s) {
  const int64_t* transposed = s.node.attributes.find<int64_t>("transA");
  return 2 * s.output_size() * s.input(0, transposed != nullptr && *transposed != 0 ? 0 : 1);
}
double conv(const Shapes& s) {  // every output sums in_channels / group * kernel products
  return 2 * s.output_size() * s.input_size(1) / std::max(1.0, s.input(1, 0));
}
double conv_transpose(const Shapes& s) {  // every input goes to out_channels / group * kernel sums
  return 2 * s.input_size(0) * s.input_size(1) / std::max(1.0, s.input(1, 0));
}
double recurrent(const Shapes& s) {  // W and R once a step and a row of the batch
  return 2 * s.input(0, 0) * s.input(0, 1) * (s.input_size(1) + s.input_size(2));
}
double pool(const Shapes& s) {
  double window = 1;
  if (const auto* kernel = s.node.attributes.find<std::vector<int64_t>>("kernel_shape")) {
    for (const int64_t size : *kernel) window *= static_cast<double>(size);
  }
  return s.output_size() * window;
}
double attention(const Shapes& s) {  // Q K^T and its product with V
  return 4 * s.input_size(0) * s.input(1, s.inputs.size() > 1 && s.inputs[1].size() == 4 ? 2 : 1);
}
double reduce(const Shapes& s) { return s.input_size(0); }
template <int kOperations>
double each(const Shapes& s) {
  return kOperations * s.output_size();
}
double none(const Shapes&) { return 0; }

// What an operator reads and writes.
enum class Traffic : uint8_t {
  all,     // its inputs and outputs
  output,  // of its inputs only the sizes
  view,    // nothing: its output is its input's memory
};

// Operators by their arithmetic. Those that are not here do one operation an output element.
struct Row {
  std::string_view op;
  double (*flops)(const Shapes&);
  Traffic traffic = Traffic::all;
};
constexpr auto kRows = std::to_array<Row>({
    {"Attention", attention},
    {"AveragePool", pool},
    {"BatchNormalization", each<2>},
    {"Cast", none},
    {"Concat", none},
    {"Conv", conv},
    {"ConvInteger", conv},
    {"ConvTranspose", conv_transpose},
    {"Cos", each<16>},
    {"CumSum", reduce},
    {"Erf", each<20>},
    {"Exp", each<12>},
    {"Expand", none},
    {"Flatten", none, Traffic::view},
    {"GRU", recurrent},
    {"Gather", none},
    {"GatherElements", none},
    {"GatherND", none},
    {"Gelu", each<28>},
    {"Gemm", gemm},
    {"GlobalAveragePool", reduce},
    {"GlobalMaxPool", reduce},
    {"GroupNormalization", each<8>},
    {"Identity", none, Traffic::view},
    {"InstanceNormalization", each<8>},
    {"LSTM", recurrent},
    {"LayerNormalization", each<8>},
    {"Log", each<12>},
    {"LogSoftmax", each<16>},
    {"MatMul", matmul},
    {"MatMulInteger", matmul},
    {"MaxPool", pool},
    {"Pad", none},
    {"Pow", each<24>},
    {"QLinearConv", conv},
    {"QLinearMatMul", matmul},
    {"RMSNormalization", each<6>},
    {"RNN", recurrent},
    {"ReduceMax", reduce},
    {"ReduceMean", reduce},
    {"ReduceMin", reduce},
    {"ReduceProd", reduce},
    {"ReduceSum", reduce},
    {"Reshape", none, Traffic::view},
    {"Shape", none, Traffic::output},
    {"Sigmoid", each<16>},
    {"Sin", each<16>},
    {"Size", none, Traffic::output},
    {"Slice", none},
    {"Softmax", each<16>},
    {"Split", none},
    {"Squeeze", none, Traffic::view},
    {"Tanh", each<16>},
    {"Tile", none},
    {"Transpose", none},
    {"Unsqueeze", none, Traffic::view},
});
static_assert(std::ranges::is_sorted(kRows, {}, &Row::op));

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
  Shapes shapes{{}, {}, node};
  const auto row = std::ranges::lower_bound(kRows, std::string_view(node.op), {}, &Row::op);
  const bool is_listed = row != kRows.end() && row->op == node.op;
  const Traffic traffic = is_listed ? row->traffic : Traffic::all;
  const auto add = [&](ValueId id, std::vector<std::vector<double>>& to, bool counts) {
    const Type type = id == kNoValue ? Type() : graph.value(id).type;
    to.push_back(sizes_of(type, sizes));
    if (counts) work.bytes += assumed_bytes(type, sizes);
  };
  for (const ValueId id : node.inputs) add(id, shapes.inputs, traffic == Traffic::all);
  for (const ValueId id : node.outputs) add(id, shapes.outputs, traffic != Traffic::view);
  if (!node.inputs.empty() && node.inputs[0] != kNoValue) {
    work.dtype = graph.value(node.inputs[0]).type.dtype;
  }
  work.is_view = traffic == Traffic::view;
  work.flops = is_listed && !shapes.inputs.empty() ? row->flops(shapes) : shapes.output_size();
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
