#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "core/file_map.h"
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
// `out`.
Annotated save_annotated(const std::string& path, const std::vector<NodePlacement>& placement,
                         const std::string& out);
// The same in memory. Throws ProblemError where the encoding is broken.
std::string annotated(Bytes model, const std::vector<NodePlacement>& placement, Annotated& result);

// "cpu(=cpu); gpu:0(=cuda:0)": the value of onnxruntime's session.layer_assignment_settings for
// nodes annotated with `devices`. sim:N stands for GPU N.
std::string onnxruntime_option(const std::set<Device>& devices);

struct AnnotatedNode {
  std::string path;
  bool is_call = false;  // of a local function: its nodes' paths start with "path/"
  Device device;
};

// The nodes of the file that have a device by either of the two, in the file's order. Throws Error
// io, not_found, invalid_model, and invalid_argument, naming the node: a name that is no device,
// with the nearest; the two disagree; more than one device for a node; several configurations of
// which none is named "ferry"; no node has any.
std::vector<AnnotatedNode> read_annotations(const std::string& path);
std::vector<AnnotatedNode> read_annotations(Bytes model, const std::string& path);

}  // namespace ferry
