#pragma once

#include <cstdint>
#include <string_view>

namespace ferry {

// The hash FNV-1a of 64 bits (Fowler, Noll, Vo): the same on every machine, no protection against
// somebody who wants two texts alike.
class Fnv1a {
 public:
  void add_byte(uint8_t byte) { hash_ = (hash_ ^ byte) * 1099511628211ull; }
  void add_text(std::string_view text) {
    for (const char c : text) add_byte(static_cast<uint8_t>(c));
  }
  uint64_t value() const { return hash_; }

 private:
  uint64_t hash_ = 14695981039346656037ull;
};

}  // namespace ferry
