#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "graph/graph.h"
#include "placement/placement.h"

namespace ferry {

// Whether `text` is of the form of `pattern` (PlacementRule::pattern).
bool matches_glob(std::string_view pattern, std::string_view text);
// A pattern that is of the form of `text` alone.
std::string literal_glob(std::string_view text);

// The rules of one request, applied to one graph.
class Rules {
 public:
  explicit Rules(const std::vector<PlacementRule>& rules);

  // The rule that says where `node` goes, if any does. `owners`: the paths of the nodes in whose
  // bodies it is. Throws Error placement where two disagree, naming both.
  const PlacementRule* of(const Graph& graph, const Node& node,
                          const std::vector<std::string>& owners);

  // In order of the request. Throws Error placement when a rule matched no node at all: with the
  // nearest name that `of` was asked of.
  std::vector<RuleMatch> matches() const;

 private:
  // Whether a node of `graph` has that path: then the name of an ONNX node means that one alone,
  // and not what else the importer made of it.
  bool is_path(const Graph& graph, const std::string& name);
  void collect(PlacementRule::Target target, std::string_view text, std::vector<size_t>& found);

  struct Names {
    std::map<std::string, std::vector<size_t>, std::less<>> literal;  // rules by what they name
    std::vector<size_t> globs;
    std::vector<std::string> asked;  // for nearest names
  };

  const std::vector<PlacementRule>& rules_;
  std::map<PlacementRule::Target, Names> names_;
  std::map<const Graph*, std::unordered_set<std::string>> paths_;
  std::vector<int> taken_;
  std::vector<bool> matched_;
};

}  // namespace ferry
