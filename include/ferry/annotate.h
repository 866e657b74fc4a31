#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "ferry/device.h"
#include "ferry/export.h"
#include "ferry/placement.h"

// Devices of nodes in ONNX files, so that plans travel:
//
//   NodeProto.device_configurations (IR version 11 and later): each tensor of the node is on one
//       device of the ModelProto.configuration named "ferry", which lists them: "cpu", "cuda:0"
//   NodeProto.metadata_props "layer_ann": the device's name, which onnxruntime's option
//       session.layer_assignment_settings gives a meaning (onnxruntime_option())
//
// A node of the file is known by the path that the importer gives it, bodies of If, Loop and Scan
// included. A call of a local function has the device that all of its nodes are on; the nodes of
// the function itself, which every call shares, have none.
namespace ferry {

struct Annotated {
  int64_t nodes = 0;    // that have a device now, those in bodies included
  int64_t without = 0;  // that have none: folded away, merged, or a call on several devices
  std::set<Device> devices;
};

// Writes a copy of the model file `path` to `out`, in which every node that a node of `placement`
// came from has its device; what the file had of the two is replaced. All other bytes, weights
// among them, are as they were, but for an IR version below 11, which becomes 11. Throws Error io,
// not_found, invalid_model, and invalid_argument where external data would not be found beside
// `out`. PlacementRule::load_map() reads such a file.
FERRY_API Annotated save_annotated(const std::string& path,
                                   const std::vector<NodePlacement>& placement,
                                   const std::string& out);

// "cpu(=cpu); gpu:0(=cuda:0)": the value of onnxruntime's session.layer_assignment_settings for
// nodes annotated with `devices`. sim:N stands for GPU N.
FERRY_API std::string onnxruntime_option(const std::set<Device>& devices);

}  // namespace ferry
