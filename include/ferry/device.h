#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "ferry/export.h"

namespace ferry {

// Kinds of device. `sim` is the CUDA backend on an emulated GPU (README, "What sim is").
enum class DeviceKind : uint8_t { cpu, cuda, sim };

FERRY_API std::string_view to_string(DeviceKind kind);

// Names a device: "cpu", "cuda:0", "sim:1". A value like an integer; whether the device exists is
// asked elsewhere (ferry/cuda.h, Tensor::to).
class FERRY_API Device {
 public:
  constexpr Device() = default;
  constexpr Device(DeviceKind kind, int index = 0) : kind_(kind), index_(index) {}

  // Parses "cpu", "cuda", "cuda:1", "sim", "sim:0"; without an index, index 0.
  // Throws Error invalid_argument, naming the nearest kind, for anything else.
  explicit Device(std::string_view text);
  explicit Device(const char* text) : Device(std::string_view(text)) {}

  static constexpr Device cpu() { return {}; }

  constexpr DeviceKind kind() const { return kind_; }
  constexpr int index() const { return index_; }
  constexpr bool is_cpu() const { return kind_ == DeviceKind::cpu; }

  // "cpu", "cuda:0", "sim:0": as PyTorch prints it.
  std::string str() const;

  friend constexpr auto operator<=>(const Device&, const Device&) = default;

 private:
  DeviceKind kind_ = DeviceKind::cpu;
  int index_ = 0;
};

}  // namespace ferry
