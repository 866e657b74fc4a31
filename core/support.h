#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

// The words that kernels and placement share about what a device can do.
namespace ferry {

// Why a node is where it is, or cannot be there. The closed list of docs/placement.md.
enum class ReasonCode : uint8_t {
  requested,
  pinned,
  cheaper_here,
  no_kernel,
  opset,
  dtype,
  attribute,
  rank_or_layout,
  size_limit,
  host_value,
  host_port,
  control_flow,
  string_type,
  memory_limit,
  library_missing,
  device_missing,
};
std::string_view to_string(ReasonCode code);

// A kernel's answer: yes, or no with a reason and the fact behind it ("input 0 is complex64").
struct Support {
  bool ok = true;
  ReasonCode reason = ReasonCode::requested;
  std::string detail;

  static Support yes() { return {}; }
  static Support no(ReasonCode reason, std::string detail) {
    return {false, reason, std::move(detail)};
  }
};

// Positions among a node's inputs or outputs: bit i stands for position i, bit 31 for every
// position from 31 on.
struct Ports {
  uint32_t bits = 0;

  constexpr Ports() = default;
  constexpr Ports(std::initializer_list<int> positions) {
    for (int i : positions) add(i);
  }
  static constexpr Ports all() {
    Ports ports;
    ports.bits = ~0u;
    return ports;
  }
  constexpr void add(int i) { bits |= 1u << (i < 31 ? i : 31); }
  constexpr bool empty() const { return bits == 0; }
  constexpr bool contains(int i) const { return bits >> (i < 31 ? i : 31) & 1; }
};

}  // namespace ferry
