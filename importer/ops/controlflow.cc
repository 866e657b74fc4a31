#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "importer/node_reader.h"
#include "importer/ops/rows.h"
#include "importer/problems.h"

namespace ferry {
namespace {

constexpr AttrSpec kIf[] = {
    required("else_branch", AttrType::graph),
    required("then_branch", AttrType::graph),
};
constexpr AttrSpec kLoop[] = {
    required("body", AttrType::graph),
};
constexpr OldArity kLoopArity[] = {{11, {3, kMany}, {1, kMany}}};
constexpr AttrSpec kScan[] = {
    required("body", AttrType::graph), required("num_scan_inputs", AttrType::integer),
    ints("scan_input_axes").since(9),  ints("scan_input_directions").since(9),
    ints("scan_output_axes").since(9), ints("scan_output_directions").since(9),
    ints("directions").until(8),
};
constexpr OldArity kScanArity[] = {{9, {2, kMany}, {1, kMany}}};

void check_body(const Graph& body, std::string_view name, size_t inputs, size_t outputs) {
  if (body.inputs().size() != inputs || body.outputs().size() != outputs) {
    fail(ProblemCode::arity,
         fmt::format("{} has {} inputs and {} outputs, the node needs {} and {}", name,
                     body.inputs().size(), body.outputs().size(), inputs, outputs));
  }
}

void read_if(NodeReader& reader) {
  size_t outputs = reader.node().outputs.size();
  check_body(*reader.node().bodies[0], "then_branch", 0, outputs);
  check_body(*reader.node().bodies[1], "else_branch", 0, outputs);
}

// The body takes the trip number, the condition and the loop's values; it gives the condition,
// those values, and what is collected over the trips.
void read_loop(NodeReader& reader) {
  const Node& node = reader.node();
  check_body(*node.bodies[0], "body", std::max<size_t>(node.inputs.size(), 2),
             node.outputs.size() + 1);
  if (node.outputs.size() + 2 < node.inputs.size()) {
    fail(ProblemCode::arity, fmt::format("{} loop values go in and only {} outputs come out",
                                         node.inputs.size() - 2, node.outputs.size()));
  }
}

// The axes and directions of the scanned values, written out: 0 for each.
void write_out(Attributes& attributes, std::string_view attribute, size_t count) {
  const std::vector<int64_t>& given = attributes.get_ints(attribute);
  if (given.empty()) {
    attributes.set(std::string(attribute), std::vector<int64_t>(count, 0));
  } else if (given.size() != count) {
    fail(ProblemCode::attribute, fmt::format("attribute '{}' has {} elements, {} are needed",
                                             attribute, given.size(), count));
  }
}

// Checks a Scan against its body and completes its attributes.
void complete_scan(Node& node) {
  int64_t inputs = static_cast<int64_t>(node.inputs.size());
  int64_t scanned = node.attributes.get_int("num_scan_inputs");
  if (scanned < 1 || scanned > inputs) {
    fail(ProblemCode::attribute,
         fmt::format("attribute 'num_scan_inputs' is {}, the node has {} inputs", scanned, inputs));
  }
  size_t states = static_cast<size_t>(inputs - scanned);
  if (std::ranges::find(node.inputs, kNoValue) != node.inputs.end()) {
    fail(ProblemCode::arity, "an input is left out, none is optional");
  }
  if (node.outputs.size() < states) {
    fail(ProblemCode::arity,
         fmt::format("{} states go in and only {} outputs come out", states, node.outputs.size()));
  }
  check_body(*node.bodies[0], "body", static_cast<size_t>(inputs), node.outputs.size());
  size_t collected = node.outputs.size() - states;
  write_out(node.attributes, "scan_input_axes", static_cast<size_t>(scanned));
  write_out(node.attributes, "scan_input_directions", static_cast<size_t>(scanned));
  write_out(node.attributes, "scan_output_axes", collected);
  write_out(node.attributes, "scan_output_directions", collected);
}

// Scan of opset 8 runs over a batch: axis 0 of every value is the batch, axis 1 of the scanned ones
// the sequence. That is a Scan over the batch without states, whose body is the Scan over the
// sequence.
void scan_batches(NodeReader& reader) {
  if (reader.has_input(0)) {
    fail(ProblemCode::unsupported, "Scan of opset 8 with lengths of sequences is not supported");
  }
  Node& node = reader.node();
  node.inputs.erase(node.inputs.begin());
  auto batch = std::make_shared<Graph>();
  std::vector<ValueId> inputs, outputs;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    inputs.push_back(batch->add_input(fmt::format("input_{}", i), {}));
  }
  Attributes attributes;
  attributes.set("num_scan_inputs", reader.attributes().get_int("num_scan_inputs"));
  attributes.set("scan_input_directions", reader.old().get_ints("directions"));
  Node inner = reader.make_node("Scan", std::move(inputs), std::move(attributes));
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    Value value;
    value.name = fmt::format("output_{}", i);
    outputs.push_back(batch->add_value(std::move(value)));
  }
  for (size_t i = 0; i < node.captures.size(); ++i) {
    inner.captures.push_back(batch->add_capture(fmt::format("capture_{}", i), {}));
  }
  inner.outputs = outputs;
  inner.bodies = std::move(node.bodies);
  complete_scan(inner);
  batch->add_node(std::move(inner));
  batch->set_outputs(std::move(outputs));
  node.bodies = {std::move(batch)};
  reader.attributes().set("num_scan_inputs", static_cast<int64_t>(node.inputs.size()));
  complete_scan(node);
}

void read_scan(NodeReader& reader) {
  if (reader.opset() < 9) return scan_batches(reader);
  complete_scan(reader.node());
}
constexpr OpRow kRows[] = {
    // If(cond) -> outputs...
    {.op = "If",
     .since = {1, 11, 13, 16, 19, 21, 23, 24, 25},
     .outputs = {1, kMany},
     .attributes = kIf,
     .read = read_if},
    // Loop(M?, cond?, v_initial...) -> v_final_and_scan_outputs...
    {.op = "Loop",
     .since = {1, 11, 13, 16, 19, 21, 23, 24, 25},
     .inputs = {2, kMany},
     .outputs = {1, kMany},
     .attributes = kLoop,
     .read = read_loop,
     .old_arity = kLoopArity,
     .gaps = 0},
    // Scan(initial_state_and_scan_inputs...) -> final_state_and_scan_outputs...
    {.op = "Scan",
     .since = {8, 9, 11, 16, 19, 21, 23, 24, 25},
     .inputs = {1, kMany},
     .outputs = {1, kMany},
     .attributes = kScan,
     .read = read_scan,
     .old_arity = kScanArity,
     .gaps = 0},
};

}  // namespace

std::span<const OpRow> controlflow_rows() { return kRows; }

}  // namespace ferry
