#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "importer/importer.h"

namespace ferry {

// Thrown inside the importer where one thing (a node, a tensor) cannot be understood; caught where
// the walk can go on with the next one.
struct ProblemError {
  ProblemCode code;
  std::string message;
};

[[noreturn]] void fail(ProblemCode code, std::string message);

// Collects what is wrong with a model.
class Problems {
 public:
  void add(ProblemCode code, std::string message, std::string node = {}, std::string op = {});
  // The same problem of many nodes: counted under `key`, told once with the first node.
  void add_grouped(ProblemCode code, const std::string& key, std::string message, std::string node,
                   std::string op);

  // Whether a problem that is added is still one of the first, which are worth a search for the
  // name that was meant.
  bool wants_hint() const { return problems_.size() < kMostHints; }

  bool empty() const { return problems_.empty(); }
  std::vector<Problem> take();

 private:
  static constexpr size_t kMost = 1000;
  static constexpr size_t kMostHints = 20;
  std::vector<Problem> problems_;
  std::map<std::pair<ProblemCode, std::string>, size_t> groups_;
  int64_t dropped_ = 0;
};

// The Error that import_model throws for a list of problems.
Error error_of(const std::vector<Problem>& problems, const std::string& model);

}  // namespace ferry
