#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "placement/placement.h"

// What changed between two placements: of one model on two devices, of two versions of a model, of
// one model exported twice.
namespace ferry {

// Whether the node is on the CPU because no device that was asked for could have it, rather than by
// choice (host_value, host_port, cheaper_here, pinned) or for control flow.
bool fell_back(const PlacementData& data, const NodePlacement& node);

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

// All lists are in the order of the later placement, then of the earlier one. Valid as long as the
// two placements are.
struct PlacementDiff {
  const PlacementData* before = nullptr;
  const PlacementData* after = nullptr;
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
};

PlacementDiff diff(const PlacementData& before, const PlacementData& after);

// A sentence for each way in which the later placement is worse: more nodes fell back to the CPU,
// more copies or bytes in a run, a longer predicted time. Empty when it is not.
std::vector<std::string> what_is_worse(const PlacementDiff& diff);

// Faces (diff_report.cc). The names are what the reader calls the two: "net.onnx on cpu".
std::string diff_summary(const PlacementDiff& diff);  // one line
std::string diff_text(const PlacementDiff& diff, const std::string& before,
                      const std::string& after);
// Tables for a pull request, in GitHub's dialect.
std::string diff_markdown(const PlacementDiff& diff, const std::string& before,
                          const std::string& after);
// Schema ferry.diff/1: the names, `same`, `worse`, and every list above in full.
std::string diff_json(const PlacementDiff& diff, const std::string& before,
                      const std::string& after);

}  // namespace ferry
