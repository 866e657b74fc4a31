#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ferry/dtype.h"

namespace ferry {

// What one device can do.
struct DeviceProfile {
  std::string name, source;
  std::map<DType, double> flops;  // a second; of float32 for types that are not listed
  double bytes_per_second = 0;    // of its memory
  double launch_seconds = 0;      // of a node that does nothing
  std::string link;               // the name of the link to it; empty for a CPU
  int64_t memory_bytes = 0;       // 0 for a CPU
};

// What the link between host and device can do, in either direction.
struct LinkProfile {
  std::string name, source;
  double bytes_per_second = 0;  // from and to pageable memory
  double latency_seconds = 0;
  double pinned_bytes_per_second = 0;
};

// What is known of devices and links: Ferry's own data (profiles.json), and before them those of a
// file that the user gave, both in the schema ferry.profiles/1 (docs/profiles.md). Immutable;
// copies share their data; thread-safe.
class Profiles {
 public:
  // `user_file`: a path, or empty. Throws Error not_found or io; and invalid_argument, naming the
  // file, the place in it ("$.devices[0].flops.float32"), what was expected and what came.
  static Profiles load(const std::string& user_file = {});

  // The profile of a device by what it calls itself ("2 cores", "NVIDIA H100 80GB HBM3", "emulated
  // sm_90"): of the first file that has one, the one with the longest match. Of a GPU that none
  // matches: a middling one, and `source` says so.
  DeviceProfile device(std::string_view device_name, bool is_cpu) const;
  // The link to the GPU of that name.
  LinkProfile link(std::string_view device_name) const;

  // The GPU that `name` names: its name or one of its matches ("RTX 4090", "sm_90"), case ignored.
  // Throws Error not_found, with the nearest name.
  DeviceProfile named(std::string_view name) const;
  // The link of that name, or the only one that the name begins ("PCIe 4"), case ignored. Throws as
  // named().
  LinkProfile link_named(std::string_view name) const;

  // All of them, the user's first, as a table would list them.
  std::vector<DeviceProfile> devices() const;
  std::vector<LinkProfile> links() const;

 private:
  struct File;
  explicit Profiles(std::vector<std::shared_ptr<const File>> files) : files_(std::move(files)) {}

  std::vector<std::shared_ptr<const File>> files_;  // the user's, then Ferry's
};

}  // namespace ferry
