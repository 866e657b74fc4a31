#include "importer/scope.h"

#include <fmt/format.h>

namespace ferry {
namespace {

std::string claim_in(std::unordered_set<std::string>& taken,
                     std::unordered_map<std::string, int>& counters, std::string_view stem) {
  std::string name(stem);
  if (taken.insert(name).second) return name;
  int& counter = counters[name];
  while (true) {
    std::string candidate = fmt::format("{}_{}", stem, ++counter);
    if (taken.insert(candidate).second) return candidate;
  }
}

}  // namespace

std::string NamedGraph::claim(std::string_view stem) { return claim_in(names_, counters_, stem); }

std::string NodePaths::claim(std::string_view path) { return claim_in(paths_, counters_, path); }

std::optional<ValueId> Scope::find(const std::string& name) {
  auto known = names_.find(name);
  if (known != names_.end()) return known->second;
  if (outer_ == nullptr) return std::nullopt;
  std::optional<ValueId> outside = outer_->find(name);
  if (!outside || *outside == kNoValue) return outside;
  ValueId inside = capture(*outside);
  define(name, inside);
  return inside;
}

bool Scope::is_visible(const std::string& name) const {
  return names_.contains(name) || (outer_ != nullptr && outer_->is_visible(name));
}

ValueId Scope::add(const std::string& name) {
  auto reserved = reserved_.find(name);
  if (reserved != reserved_.end()) {
    define(name, reserved->second);
    return reserved->second;
  }
  Value value;
  value.name = builder_.claim(value_prefix_ + name);
  auto type = declared.find(name);
  if (type != declared.end()) value.type = type->second;
  ValueId id = graph().add_value(std::move(value));
  define(name, id);
  return id;
}

ValueId Scope::add_unnamed(std::string_view stem) {
  Value value;
  value.name = builder_.claim(stem);
  return graph().add_value(std::move(value));
}

ValueId Scope::capture(ValueId outer) {
  auto [place, added] = captures_->index.try_emplace(outer, captures_->outer.size());
  if (added) captures_->outer.push_back(outer);
  sync_captures();
  return inner_[place->second];
}

void Scope::sync_captures() {
  if (captures_ == nullptr) return;
  while (inner_.size() < captures_->outer.size()) {
    const Value& value = outer_->graph().value(captures_->outer[inner_.size()]);
    inner_.push_back(graph().add_capture(builder_.claim(value.name), value.type));
  }
}

}  // namespace ferry
