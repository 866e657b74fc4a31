#pragma once

#include <cstdint>

namespace ferry::cpu {

// A bool as an input has it: any byte may come, and each but 0 is true.
struct BoolByte {
  uint8_t byte;
  operator bool() const { return byte != 0; }
};

}  // namespace ferry::cpu
