#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "graph/dim.h"

namespace ferry {

// Numbers for sizes: symbols that the request does not name count as 1, and are noted. Not
// thread-safe.
class AssumedSizes {
 public:
  explicit AssumedSizes(std::map<std::string, int64_t> symbols) : symbols_(std::move(symbols)) {}

  // nullopt where data decides the size, or where it exceeds 64 bits.
  std::optional<int64_t> of(const Dim& dim) {
    std::vector<std::string> names;
    dim.collect_symbols(names);
    for (std::string& name : names) {
      if (symbols_.emplace(name, 1).second) assumed_.push_back(std::move(name));
    }
    return dim.evaluate(symbols_);
  }
  // The symbols that counted as 1 so far.
  const std::vector<std::string>& assumed() const { return assumed_; }

 private:
  std::map<std::string, int64_t> symbols_;
  std::vector<std::string> assumed_;
};

}  // namespace ferry
