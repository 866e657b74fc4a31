#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ferry/export.h"
#include "ferry/placement.h"

// What changed between two placements: of one model on two devices, of two versions of a model, of
// one model exported twice.
namespace ferry {

// Both point into the placements that were compared. They are the same thing: by name and operator,
// by name, by operator and the ONNX nodes that it came from, or, where names are other ones, by
// operator and order.
struct NodePair {
  const NodePlacement* before;
  const NodePlacement* after;
};
struct CopyPair {
  const CopyPlacement* before;
  const CopyPlacement* after;
};
struct WeightPair {
  const WeightPlacement* before;
  const WeightPlacement* after;
};

// A quantity of both.
struct Change {
  std::string name;  // "nodes on sim:0", "copies of a run"
  enum class Unit : uint8_t { count, bytes, seconds } unit = Unit::count;
  std::optional<double> before, after;           // nullopt: not known
  bool open_before = false, open_after = false;  // more may come: data or trips decide
};

// All lists are in the order of the later placement, then of the earlier one, and point into the
// two, which are held here.
struct FERRY_API PlacementDiff {
  Placement before, after;
  std::vector<NodePair> moved;    // on another device now
  std::vector<NodePair> renamed;  // paired although their names differ
  std::vector<const NodePlacement*> nodes_gone, nodes_added;
  std::vector<CopyPair> copies_resized;  // other bytes, or made another number of times
  std::vector<const CopyPlacement*> copies_gone, copies_added;
  std::vector<WeightPair> weights_moved;  // other homes, in any order
  std::vector<const WeightPlacement*> weights_gone, weights_added;
  std::vector<Change> totals;

  // True when nothing above differs.
  bool same() const;
  // A sentence for each way in which the later placement is worse: more nodes fell back to the CPU,
  // more copies or bytes in a run, a longer predicted time. Empty when it is not.
  std::vector<std::string> worse() const;

  std::string summary() const;  // one line
  // For people, for a pull request (tables in GitHub's dialect), and for programs (schema
  // ferry.diff/1: the titles, `same`, `worse`, and every list above in full). The titles are what
  // the reader calls the two: "net.onnx on cpu".
  std::string text(const std::string& before_title, const std::string& after_title) const;
  std::string markdown(const std::string& before_title, const std::string& after_title) const;
  std::string json(const std::string& before_title, const std::string& after_title) const;
};

// Throws Error invalid_argument where one of the two is not defined().
FERRY_API PlacementDiff diff(const Placement& before, const Placement& after);

}  // namespace ferry
