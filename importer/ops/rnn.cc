#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <string>
#include <vector>

#include "importer/node_reader.h"
#include "importer/ops/rows.h"
#include "importer/problems.h"

namespace ferry {
namespace {

constexpr std::string_view kDirections[] = {"forward", "reverse", "bidirectional"};
// Clipping to an infinite range is none.
constexpr float kNoClip = std::numeric_limits<float>::infinity();
constexpr AttrSpec kGRU[] = {
    list("activation_alpha", AttrType::reals), list("activation_beta", AttrType::reals),
    list("activations", AttrType::texts),      real("clip", kNoClip),
    text("direction", "forward", kDirections), integer("hidden_size", 0).at_least(0),
    flag("layout", false).since(14),           flag("linear_before_reset", false).since(3),
    flag("output_sequence", false).until(6),
};
constexpr OldArity kGRUArity[] = {{3, {3, 6}, 2}};
constexpr AttrSpec kLSTM[] = {
    list("activation_alpha", AttrType::reals),
    list("activation_beta", AttrType::reals),
    list("activations", AttrType::texts),
    real("clip", kNoClip),
    text("direction", "forward", kDirections),
    integer("hidden_size", 0).at_least(0),
    flag("input_forget", false),
    flag("layout", false).since(14),
    flag("output_sequence", false).until(6),
};
constexpr AttrSpec kRNN[] = {
    list("activation_alpha", AttrType::reals), list("activation_beta", AttrType::reals),
    list("activations", AttrType::texts),      real("clip", kNoClip),
    text("direction", "forward", kDirections), integer("hidden_size", 0).at_least(0),
    flag("layout", false).since(14),           flag("output_sequence", false).until(6),
};

struct Defaults {
  std::string_view op;
  std::array<std::string_view, 3> activations;
};
constexpr Defaults kDefaults[] = {
    {"GRU", {"Sigmoid", "Tanh"}},
    {"LSTM", {"Sigmoid", "Tanh", "Tanh"}},
    {"RNN", {"Tanh"}},
};

// Writes the activation functions out, for each direction.
void read_activations(NodeReader& reader) {
  const std::string& direction = reader.attributes().get_string("direction");
  size_t directions = direction == "bidirectional" ? 2 : 1;
  auto row = std::ranges::find(kDefaults, reader.node().op.name(), &Defaults::op);
  std::vector<std::string> names;
  for (std::string_view name : row->activations) {
    if (!name.empty()) names.emplace_back(name);
  }
  size_t wanted = names.size() * directions;
  const auto& given = reader.attributes().get<std::vector<std::string>>("activations");
  if (given.empty()) {
    if (directions == 2) {
      const std::vector<std::string> forward = names;
      names.insert(names.end(), forward.begin(), forward.end());
    }
    reader.attributes().set("activations", names);
  } else if (row->op == "RNN" && directions == 1 && given.size() == 2) {
    // The schema's own default has a second function for a direction that is not there.
    reader.attributes().set("activations", std::vector<std::string>{given[0]});
  } else if (given.size() != wanted) {
    fail(ProblemCode::attribute, fmt::format("attribute 'activations' names {} functions, {} are "
                                             "needed",
                                             given.size(), wanted));
  }
}

constexpr OpRow kRows[] = {
    // GRU(X, W, R, B?, sequence_lens?, initial_h?) -> Y?, Y_h?
    {.op = "GRU",
     .since = {1, 3, 7, 14, 22},
     .inputs = {3, 6},
     .outputs = {0, 2},
     .attributes = kGRU,
     .read = read_activations,
     .old_arity = kGRUArity},
    // LSTM(X, W, R, B?, sequence_lens?, initial_h?, initial_c?, P?) -> Y?, Y_h?, Y_c?
    {.op = "LSTM",
     .since = {1, 7, 14, 22},
     .inputs = {3, 8},
     .outputs = {0, 3},
     .attributes = kLSTM,
     .read = read_activations},
    // RNN(X, W, R, B?, sequence_lens?, initial_h?) -> Y?, Y_h?
    {.op = "RNN",
     .since = {1, 7, 14, 22},
     .inputs = {3, 6},
     .outputs = {0, 2},
     .attributes = kRNN,
     .read = read_activations},
};

}  // namespace

std::span<const OpRow> rnn_rows() { return kRows; }

}  // namespace ferry
