#include "tests/report/synthetic_placement.h"

#include <fmt/format.h>

#include <cmath>

namespace ferry {
namespace {

const Device kSim(DeviceKind::sim, 0);

// One layer of the transformer; a node's share of the work and why the device would refuse it.
struct Step {
  const char *op, *path, *reason, *detail;
  double flops, bytes;
};
constexpr Step kLayer[] = {
    {"LayerNormalization", "norm1", "requested", "", 2e6, 1.6e6},
    {"MatMul", "attention/query/MatMul", "requested", "", 1.5e8, 3.2e6},
    {"MatMul", "attention/key/MatMul", "requested", "", 1.5e8, 3.2e6},
    {"MatMul", "attention/value/MatMul", "requested", "", 1.5e8, 3.2e6},
    {"Shape", "attention/Shape", "host_value",
     "made from sizes; the host reads or holds all of its inputs", 1, 32},
    {"Concat", "attention/Concat", "host_value",
     "made from sizes; the host reads or holds all of its inputs", 1, 64},
    {"Reshape", "attention/Reshape", "requested", "", 1, 8e5},
    {"MatMul", "attention/scores/MatMul", "requested", "", 2.5e7, 2.4e6},
    {"Softmax", "attention/Softmax", "requested", "", 1.3e6, 1.6e6},
    {"MatMul", "attention/context/MatMul", "requested", "", 2.5e7, 2.4e6},
    {"Unique", "attention/mask/Unique", "no_kernel", "no kernel is written for Unique", 1e4, 8e3},
    {"Add", "residual1/Add", "requested", "", 2e5, 2.4e6},
    {"MatMul", "feed_forward/up/MatMul", "requested", "", 6e8, 9e6},
    {"Gelu", "feed_forward/Gelu", "requested", "", 8e6, 6.4e6},
    {"MatMul", "feed_forward/down/MatMul", "memory_limit",
     "no room for its weight under the limit of 40.0 MiB", 6e8, 9e6},
    {"Mul", "scale/Mul", "cheaper_here", "2.1 us on cpu, 9.8 us on sim:0 and its copies", 2e5, 2e5},
};
constexpr int kLayerSize = static_cast<int>(std::size(kLayer));

bool is_here_by_choice(std::string_view reason) {
  return reason == "host_value" || reason == "cheaper_here" || reason == "memory_limit";
}

// The device refuses, or lets go of, these nodes in one layer of four.
bool is_elsewhere(const Step& step, int layer) {
  if (std::string_view(step.reason) == "requested") return false;
  return std::string_view(step.reason) == "host_value" || layer % 4 == 0;
}

NodePlacement node_of(const Step& step, int layer) {
  NodePlacement node;
  node.name = fmt::format("/encoder/layer.{}/{}", layer, step.path);
  node.op = step.op;
  node.device = is_elsewhere(step, layer) ? Device::cpu() : kSim;
  node.reason = is_elsewhere(step, layer) ? step.reason : "requested";
  node.detail = is_elsewhere(step, layer) ? step.detail : "";
  node.sources = {node.name};
  node.outputs = {fmt::format("{}_output_0 float32[batch, 128, 768]", node.name)};
  node.flops = step.flops;
  node.bytes = step.bytes;
  const double on_cpu = 1e-7 + std::max(step.flops / 1e11, step.bytes / 2e10);
  const double on_sim = 3e-6 + std::max(step.flops / 6e13, step.bytes / 3e12);
  node.predicted.push_back({Device::cpu(), on_cpu});
  if (node.device.is_cpu() && !is_here_by_choice(step.reason)) {
    node.rejected.push_back({kSim, step.reason, step.detail});
  } else {
    node.predicted.push_back({kSim, on_sim});
    const Device other = node.device.is_cpu() ? kSim : Device::cpu();
    const double saved = node.device.is_cpu() ? on_sim - on_cpu : on_cpu - on_sim;
    node.moves.push_back({other, std::abs(saved) + 2e-5});
  }
  return node;
}

CopyPlacement crossing(const NodePlacement& from, const NodePlacement& to, int64_t bytes) {
  CopyPlacement copy;
  copy.value = from.name + "_output_0";
  copy.from = from.device;
  copy.to = to.device;
  copy.bytes = {bytes, fmt::format("{}*batch", bytes / 8)};
  copy.when = "run";
  copy.seconds = 8e-6 + static_cast<double>(bytes) / 1.2e10;
  copy.producer = from.name;
  copy.consumers = {to.name};
  copy.kind = "activation";
  return copy;
}

void add_feeds_and_outputs(PlacementData& data) {
  CopyPlacement feed = crossing(data.nodes.front(), data.nodes.front(), 3145728);
  feed.value = "input_ids";
  feed.producer = "input";
  feed.from = Device::cpu();
  feed.to = kSim;
  feed.kind = "feed";
  data.copies.insert(data.copies.begin(), feed);
  CopyPlacement output = crossing(data.nodes.back(), data.nodes.back(), 6144);
  output.from = kSim;
  output.to = Device::cpu();
  output.consumers = {"output"};
  output.kind = "output";
  data.copies.push_back(output);
}

void add_memory(PlacementData& data) {
  for (DevicePlacement& device : data.devices) {
    MemoryUse& memory = device.memory;
    memory.weights = device.weight_bytes;
    memory.workspace = device.device.is_cpu() ? 0 : 1 << 20;
    for (size_t i = 0; i < data.nodes.size(); ++i) {
      const double wave = 1.5 + std::sin(static_cast<double>(i) / 17) + 0.2 * (i % 5);
      const double scale = device.device.is_cpu() ? 2e5 : 3e6;
      memory.steps.push_back(static_cast<int64_t>(wave * scale));
      memory.activations = std::max(memory.activations, memory.steps.back());
    }
  }
  data.devices[1].memory.limit = data.devices[1].memory.peak() + (2 << 20);
  data.request.memory_limits[kSim] = *data.devices[1].memory.limit;
}

void add_prediction(PlacementData& data) {
  Prediction& out = data.prediction;
  for (const NodePlacement& node : data.nodes) {
    for (const PredictedTime& time : node.predicted) {
      if (time.device == node.device) out.kernel_seconds += time.seconds;
    }
  }
  for (const CopyPlacement& copy : data.copies) {
    if (copy.when != "load") out.copy_seconds += copy.seconds;
  }
  out.seconds = out.kernel_seconds + out.copy_seconds;
  out.device_first_seconds = 1.21 * out.seconds;
  out.cpu_seconds = 4.7 * out.seconds;
  out.lower_bound_seconds = 0.96 * out.seconds;
  out.profiles = {"generic cpu: 16 FLOP a cycle and core", "A10: data sheet",
                  "PCIe 4 x16: 26 GB/s, pageable"};
}

}  // namespace

std::shared_ptr<PlacementData> synthetic_placement(int nodes) {
  auto data = std::make_shared<PlacementData>();
  data->model = fmt::format("transformer_{}.onnx", nodes);
  data->graph.opsets[""] = 20;
  data->fingerprint = "5f2c9ad1e07b";
  data->request = PlacementRequest::parse("sim:0,cpu");
  data->request.policy = PlacementPolicy::fastest;
  data->request.dims["batch"] = 8;
  data->request.size_range = PlacementRequest::SizeRange{"batch", 1, 32};
  data->devices.resize(2);
  data->devices[0] = {.device = Device::cpu(), .name = "2 cores"};
  data->devices[1] = {.device = kSim, .name = "emulated sm_90", .simulated = true};
  for (int i = 0; i < nodes; ++i) {
    NodePlacement node = node_of(kLayer[i % kLayerSize], i / kLayerSize);
    const bool joins = i > 0 && data->nodes.back().device == node.device;
    node.island = i == 0 ? 1 : data->nodes.back().island + (joins ? 0 : 1);
    if (i > 0 && !joins) {
      const auto bytes = static_cast<int64_t>(kLayer[i % kLayerSize].bytes);
      data->copies.push_back(crossing(data->nodes.back(), node, bytes));
    }
    ++data->devices[node.device.is_cpu() ? 0 : 1].nodes;
    if (node.op == "MatMul") {
      const std::string weight = node.name.substr(0, node.name.rfind('/')) + ".weight";
      data->weights.push_back({weight, DType::float32, "[768, 768]", 2359296, {node.device}});
      data->devices[node.device.is_cpu() ? 0 : 1].weight_bytes += 2359296;
      if (!node.device.is_cpu()) {
        CopyPlacement upload = crossing(node, node, 2359296);
        upload.value = weight;
        upload.from = Device::cpu();
        upload.when = "load";
        upload.kind = upload.producer = "weight";
        data->copies.push_back(upload);
      } else {
        data->spilled.push_back({weight, 2359296, kSim, false, 3.1e-5});
      }
    }
    data->nodes.push_back(std::move(node));
  }
  add_feeds_and_outputs(*data);
  add_memory(*data);
  add_prediction(*data);
  data->rules = {{"op:Unique=cpu", Device::cpu(), 1 + nodes / 64}};
  data->size_ranges = {{1, 2, 1e-4, 2e-4, {{Device::cpu(), nodes}}},
                       {3,
                        32,
                        2.2e-4,
                        9e-4,
                        {{Device::cpu(), data->devices[0].nodes}, {kSim, data->devices[1].nodes}}}};
  return data;
}

MeasuredRun synthetic_run(const PlacementData& data) {
  MeasuredRun run;
  for (size_t i = 0; i < data.nodes.size(); ++i) {
    const NodePlacement& node = data.nodes[i];
    const double off = 0.85 + 0.05 * static_cast<double>(i % 11);
    for (const PredictedTime& time : node.predicted) {
      if (!(time.device == node.device)) continue;
      run.steps.push_back({node.name, false, node.device, off * time.seconds, 1});
      run.seconds += off * time.seconds;
    }
  }
  for (const CopyPlacement& copy : data.copies) {
    if (copy.when == "load") continue;
    run.steps.push_back({copy.value, true, copy.to, 1.3 * copy.seconds, 1});
    run.seconds += 1.3 * copy.seconds;
  }
  for (const DevicePlacement& device : data.devices) {
    run.peak_bytes[device.device] = device.memory.peak() + 4096;
  }
  return run;
}

}  // namespace ferry
