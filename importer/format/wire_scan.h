#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/file_map.h"

namespace ferry {

// An ONNX message split in two. Tensors hold nearly all bytes of a model; protobuf would copy them,
// and refuses messages of 2 GiB. So the scanner walks the message in place, notes where each
// tensor's elements are, and makes a small message of the rest for protobuf.
struct WireScan {
  std::string skeleton;        // the same message without tensor elements and unlisted fields
  std::vector<Bytes> tensors;  // each TensorProto as it is in the file; TensorProto.scan_index is
                               // its place here
};

// Bounds on what a file may ask for before anything of it is understood.
struct ScanLimits {
  uint64_t skeleton_bytes = uint64_t{256} << 20;
  uint64_t messages = 16'000'000;  // nodes, attributes, tensors, graphs
  int depth = 96;                  // nested messages; protobuf itself stops at 100
};

enum class WireMessage : uint8_t { model, tensor, sequence, optional };

// Throws ProblemError: encoding where it is broken, limit where one is passed. Takes time linear in
// the structure, not in the elements. The views point into `message`.
WireScan scan(Bytes message, WireMessage kind, const ScanLimits& limits = {});

}  // namespace ferry
