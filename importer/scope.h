#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "graph/graph.h"

namespace ferry {

// A graph that is being filled: keeps the names of its values unique.
class NamedGraph {
 public:
  explicit NamedGraph(Graph& graph) : graph_(graph) {}

  Graph& graph() { return graph_; }
  // `stem`, with a number where the graph has that name already.
  std::string claim(std::string_view stem);

 private:
  Graph& graph_;
  std::unordered_set<std::string> names_;
  std::unordered_map<std::string, int> counters_;
};

// Paths of nodes, unique in the whole model.
class NodePaths {
 public:
  std::string claim(std::string_view path);

 private:
  std::unordered_set<std::string> paths_;
  std::unordered_map<std::string, int> counters_;
};

// What a node with bodies captures: one list for all its bodies, in the ids of the graph around it.
struct Captures {
  std::vector<ValueId> outer;
  std::unordered_map<ValueId, size_t> index;
};

// What names mean at one place of the model: those of a graph, or of a local function's body while
// it is expanded into a graph.
//
// A body sees the names of the scopes around it; reading one makes it a capture of the body (and of
// every body between). A function's body sees only its own.
class Scope {
 public:
  // The names of an outermost graph, or of a function's body. Paths of nodes start with `prefix`;
  // names of values start with `value_prefix`, which keeps calls of one function apart.
  Scope(NamedGraph& builder, NodePaths& paths, std::string prefix, std::string value_prefix)
      : builder_(builder),
        paths_(paths),
        prefix_(std::move(prefix)),
        value_prefix_(std::move(value_prefix)) {}
  // The names of a body of a node in `outer`.
  Scope(NamedGraph& builder, NodePaths& paths, std::string prefix, Scope& outer, Captures& captures)
      : builder_(builder),
        paths_(paths),
        prefix_(std::move(prefix)),
        outer_(&outer),
        captures_(&captures) {}

  NamedGraph& builder() { return builder_; }
  Graph& graph() { return builder_.graph(); }
  NodePaths& paths() { return paths_; }
  // What the paths of nodes start with here: "" or "/loop/body/".
  const std::string& prefix() const { return prefix_; }

  // The value, captured if need be; kNoValue for a function's input that its caller left out;
  // nullopt when there is no such name.
  std::optional<ValueId> find(const std::string& name);
  // True when the name means something here, also in the scopes around.
  bool is_visible(const std::string& name) const;
  void define(const std::string& name, ValueId value) { names_.emplace(name, value); }

  // A new value of the graph, and what it is called in the file: the reserved one, where there is
  // one.
  ValueId add(const std::string& name);
  // The value that add(name) is to give: a function's output is its caller's value.
  void reserve(const std::string& name, ValueId value) { reserved_.emplace(name, value); }
  // A new value that the file does not name.
  ValueId add_unnamed(std::string_view stem);

  // Gives the graph every capture that its node has by now.
  void sync_captures();

  // Types that the file declares for names of this scope.
  std::unordered_map<std::string, Type> declared;

 private:
  ValueId capture(ValueId outer);

  NamedGraph& builder_;
  NodePaths& paths_;
  std::string prefix_, value_prefix_;
  Scope* outer_ = nullptr;
  Captures* captures_ = nullptr;
  std::vector<ValueId> inner_;  // this graph's captures, as far as they are synced
  std::unordered_map<std::string, ValueId> names_, reserved_;
};

}  // namespace ferry
