#pragma once

#include <functional>
#include <string>
#include <vector>

#include "ferry/device.h"
#include "ferry/export.h"

namespace ferry {

struct CalibrateOptions {
  std::vector<Device> devices;  // empty: the CPU and every CUDA GPU
  int threads = 0;              // of the CPU pool; 0: one per core
  int repetitions = 7;          // of every measurement
  // How long one large node shall take: longer is more exact. A measurement takes about 50 times as
  // long, a device about ten measurements.
  double node_seconds = 4e-3;
  std::function<void(int done, int total, const std::string& what)> progress;
};

// One number that placement counts with, measured through the kernels that run models.
struct Measurement {
  Device device;
  // "flops.float32" and other element types, "bytes_per_second", "launch_seconds"; of the link to a
  // GPU, "link.pinned_bytes_per_second", "link.pageable_bytes_per_second", "link.latency_seconds".
  std::string key;
  double value = 0;    // the median
  double spread = 0;   // half the distance between the quartiles, as a share of the median
  double assumed = 0;  // what placement counts with where nothing is measured
};

struct Calibration {
  std::vector<Measurement> measurements;
  std::string json;  // a file of profiles, schema ferry.profiles/1, for PlacementRequest::profiles
};

// Measures what devices and the links to them can do. Of several GPUs of one name, the first. Uses
// them alone: work beside it is measured as well. Throws Error device_missing, out_of_memory,
// invalid_argument (no repetition, no time), and runtime where noise exceeds what is measured.
FERRY_API Calibration calibrate(const CalibrateOptions& options = {});

}  // namespace ferry
