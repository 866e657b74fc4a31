#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/file_map.h"
#include "ferry/annotate.h"
#include "ferry/placement.h"

// How plans travel in ONNX files (ferry/annotate.h).
namespace ferry {

// As save_annotated(), in memory. Throws ProblemError where the encoding is broken.
std::string annotated(Bytes model, const std::vector<NodePlacement>& placement, Annotated& result);

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
