#include "ferry/diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>

#include "core/human.h"
#include "ferry/error.h"

namespace ferry {
namespace {

// ---- pairs --------------------------------------------------------------------------------------

// What an item is called, "" for nothing; `is_after` where both sides are not called alike.
template <typename Item>
using Key = std::function<std::string(const Item& item, bool is_after)>;

// For each item of `before`, the index of its counterpart in `after`.
using Pairs = std::vector<std::optional<size_t>>;

std::vector<bool> taken_by(const Pairs& pairs, size_t after) {
  std::vector<bool> taken(after, false);
  for (const auto& pair : pairs) {
    if (pair) taken[*pair] = true;
  }
  return taken;
}

// Pairs what is still alone: items of one name that are there equally often on both sides, in their
// order.
template <typename Item>
void pair_by(const Key<Item>& key, const std::vector<Item>& before, const std::vector<Item>& after,
             Pairs& pairs) {
  const std::vector<bool> taken = taken_by(pairs, after.size());
  std::map<std::string, std::pair<std::vector<size_t>, std::vector<size_t>>> alike;
  for (size_t i = 0; i < before.size(); ++i) {
    if (!pairs[i]) alike[key(before[i], false)].first.push_back(i);
  }
  for (size_t i = 0; i < after.size(); ++i) {
    if (!taken[i]) alike[key(after[i], true)].second.push_back(i);
  }
  alike.erase("");
  for (const auto& [name, both] : alike) {
    if (both.first.size() != both.second.size()) continue;
    for (size_t i = 0; i < both.first.size(); ++i) pairs[both.first[i]] = both.second[i];
  }
}

template <typename Item>
Pairs pair_up(const std::vector<Item>& before, const std::vector<Item>& after,
              const std::vector<Key<Item>>& keys) {
  Pairs pairs(before.size());
  for (const Key<Item>& key : keys) pair_by(key, before, after, pairs);
  return pairs;
}

// Pairs nodes that are still alone as a longest common subsequence of their operators, as a tool
// for texts pairs lines: what was put in between stays alone. Not where that would take more than
// some 16 million steps.
void pair_in_order(const std::vector<NodePlacement>& before,
                   const std::vector<NodePlacement>& after, Pairs& pairs) {
  constexpr size_t kMostSteps = size_t{1} << 24;
  const std::vector<bool> taken = taken_by(pairs, after.size());
  std::vector<size_t> a, b;
  for (size_t i = 0; i < before.size(); ++i) {
    if (!pairs[i]) a.push_back(i);
  }
  for (size_t i = 0; i < after.size(); ++i) {
    if (!taken[i]) b.push_back(i);
  }
  if (a.empty() || b.empty() || a.size() > kMostSteps / b.size()) return;
  const auto same = [&](size_t i, size_t j) { return before[a[i]].op == after[b[j]].op; };
  // Of what is left from places i and j on.
  const size_t width = b.size() + 1;
  std::vector<uint16_t> length((a.size() + 1) * width, 0);
  for (size_t i = a.size(); i-- > 0;) {
    for (size_t j = b.size(); j-- > 0;) {
      length[i * width + j] =
          same(i, j) ? static_cast<uint16_t>(length[(i + 1) * width + j + 1] + 1)
                     : std::max(length[(i + 1) * width + j], length[i * width + j + 1]);
    }
  }
  for (size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    if (same(i, j)) {
      pairs[a[i++]] = b[j++];
    } else if (length[(i + 1) * width + j] >= length[i * width + j + 1]) {
      ++i;
    } else {
      ++j;
    }
  }
}

// The items of `after` that nothing of `before` is paired with.
template <typename Item>
std::vector<const Item*> alone(const std::vector<Item>& after, const Pairs& pairs) {
  const std::vector<bool> taken = taken_by(pairs, after.size());
  std::vector<const Item*> out;
  for (size_t i = 0; i < after.size(); ++i) {
    if (!taken[i]) out.push_back(&after[i]);
  }
  return out;
}

// Calls `both` for every pair, in the order of `after`, and `gone` for what has no counterpart.
template <typename Item, typename Both, typename Gone>
void for_each_pair(const std::vector<Item>& before, const std::vector<Item>& after,
                   const Pairs& pairs, Both both, Gone gone) {
  std::vector<const Item*> counterpart(after.size(), nullptr);
  for (size_t i = 0; i < before.size(); ++i) {
    if (pairs[i]) {
      counterpart[*pairs[i]] = &before[i];
    } else {
      gone(before[i]);
    }
  }
  for (size_t i = 0; i < after.size(); ++i) {
    if (counterpart[i] != nullptr) both(*counterpart[i], after[i]);
  }
}

constexpr char kSeparator = '\x1f';  // stands in no name that is worth comparing

std::string joined(std::initializer_list<std::string_view> parts) {
  std::string out;
  for (const std::string_view part : parts) out += std::string(part) + kSeparator;
  return out;
}

std::string sources_of(const NodePlacement& node) {
  std::vector<std::string> sources = node.sources;
  std::ranges::sort(sources);
  std::string out;
  for (const std::string& source : sources) out += source + kSeparator;
  return out;
}

void compare_nodes(PlacementDiff& out, std::map<std::string, std::string>& new_names) {
  const auto& before = out.before.nodes();
  const auto& after = out.after.nodes();
  Pairs pairs = pair_up<NodePlacement>(
      before, after,
      {[](const NodePlacement& node, bool) {
         return joined({node.name, node.op});
       },
       [](const NodePlacement& node, bool) { return node.name; },
       [](const NodePlacement& node, bool) {
         return node.sources.empty() ? "" : joined({node.op, sources_of(node)});
       }});
  pair_in_order(before, after, pairs);
  pair_by<NodePlacement>([](const NodePlacement& node, bool) { return node.op; }, before, after,
                         pairs);
  for_each_pair(
      before, after, pairs,
      [&](const NodePlacement& a, const NodePlacement& b) {
        if (a.device != b.device) out.moved.push_back({&a, &b});
        if (a.name != b.name) out.renamed.push_back({&a, &b});
        new_names[a.name] = b.name;
      },
      [&](const NodePlacement& a) { out.nodes_gone.push_back(&a); });
  out.nodes_added = alone(after, pairs);
}

void compare_copies(PlacementDiff& out, const std::map<std::string, std::string>& new_names) {
  const auto& before = out.before.copies();
  const auto& after = out.after.copies();
  const auto way = [](const CopyPlacement& copy) {
    return joined({copy.from.str(), copy.to.str(), copy.kind, copy.when});
  };
  const auto producer = [&](const CopyPlacement& copy, bool is_after) {
    const auto at = new_names.find(copy.producer);
    return is_after || at == new_names.end() ? copy.producer : at->second;
  };
  const auto pairs = pair_up<CopyPlacement>(before, after,
                                            {[&](const CopyPlacement& copy, bool) {
                                               return joined({copy.value, way(copy)});
                                             },
                                             [&](const CopyPlacement& copy, bool is_after) {
                                               return joined({producer(copy, is_after), way(copy)});
                                             }});
  for_each_pair(
      before, after, pairs,
      [&](const CopyPlacement& a, const CopyPlacement& b) {
        if (a.bytes.value != b.bytes.value || a.bytes.expression != b.bytes.expression ||
            a.times != b.times) {
          out.copies_resized.push_back({&a, &b});
        }
      },
      [&](const CopyPlacement& a) { out.copies_gone.push_back(&a); });
  out.copies_added = alone(after, pairs);
}

void compare_weights(PlacementDiff& out) {
  const auto& before = out.before.weights();
  const auto& after = out.after.weights();
  const auto pairs =
      pair_up<WeightPlacement>(before, after,
                               {[](const WeightPlacement& weight, bool) { return weight.name; },
                                [](const WeightPlacement& weight, bool) {
                                  return joined({to_string(weight.dtype), weight.shape});
                                }});
  for_each_pair(
      before, after, pairs,
      [&](const WeightPlacement& a, const WeightPlacement& b) {
        const std::set<Device> were(a.homes.begin(), a.homes.end());
        if (were != std::set<Device>(b.homes.begin(), b.homes.end())) {
          out.weights_moved.push_back({&a, &b});
        }
      },
      [&](const WeightPlacement& a) { out.weights_gone.push_back(&a); });
  out.weights_added = alone(after, pairs);
}

// ---- totals -------------------------------------------------------------------------------------

const DevicePlacement* device_of(const Placement& placement, Device device) {
  const auto at = std::ranges::find(placement.devices(), device, &DevicePlacement::device);
  return at == placement.devices().end() ? nullptr : &*at;
}

int fallen_back(const Placement& placement) {
  return static_cast<int>(std::ranges::count_if(
      placement.nodes(), [&](const NodePlacement& node) { return placement.fell_back(node); }));
}

std::optional<double> seconds_of(const Placement& placement) {
  const double seconds = placement.prediction().seconds;
  return seconds > 0 ? std::optional(seconds) : std::nullopt;
}

void compare_totals(PlacementDiff& out) {
  using Unit = Change::Unit;
  std::set<Device> devices;
  for (const Placement* placement : {&out.before, &out.after}) {
    for (const DevicePlacement& device : placement->devices()) devices.insert(device.device);
  }
  const auto add = [&](std::string name, Unit unit, auto value_of) {
    out.totals.push_back({std::move(name), unit, value_of(out.before), value_of(out.after)});
  };
  // What no device has is no line.
  const auto add_of = [&](Device device, const char* what, Unit unit, auto member) {
    add(what + device.str(), unit, [&](const Placement& placement) -> std::optional<double> {
      const DevicePlacement* const found = device_of(placement, device);
      return found == nullptr ? 0 : static_cast<double>(member(*found));
    });
    const Change& change = out.totals.back();
    if (*change.before == 0 && *change.after == 0) out.totals.pop_back();
  };
  for (const Device device : devices) {
    add_of(device, "nodes on ", Unit::count, [](const DevicePlacement& d) { return d.nodes; });
  }
  add("nodes that fell back", Unit::count,
      [](const Placement& placement) { return std::optional<double>(fallen_back(placement)); });
  const RunCopies before = out.before.run_copies(), after = out.after.run_copies();
  const auto copies = [&](const char* name, Unit unit, auto value_of) {
    out.totals.push_back({name, unit, static_cast<double>(value_of(before)),
                          static_cast<double>(value_of(after)), unit == Unit::bytes && before.open,
                          unit == Unit::bytes && after.open});
  };
  copies("copies of a run", Unit::count, [](const RunCopies& c) { return c.count; });
  copies("bytes of a run", Unit::bytes, [](const RunCopies& c) { return c.bytes(); });
  if (seconds_of(out.before) || seconds_of(out.after)) {
    add("predicted time of a run", Unit::seconds, seconds_of);
  }
  for (const Device device : devices) {
    add_of(device, "weights on ", Unit::bytes,
           [](const DevicePlacement& d) { return d.weight_bytes; });
    add_of(device, "peak memory of ", Unit::bytes,
           [](const DevicePlacement& d) { return d.memory.peak(); });
  }
}

}  // namespace

bool Placement::fell_back(const NodePlacement& node) const {
  static constexpr std::string_view kChosen[] = {"requested",    "host_value", "host_port",
                                                 "cheaper_here", "pinned",     "control_flow"};
  return !request().device.is_cpu() && node.device.is_cpu() &&
         std::ranges::find(kChosen, node.reason) == std::end(kChosen);
}

bool PlacementDiff::same() const {
  return moved.empty() && nodes_gone.empty() && nodes_added.empty() && copies_resized.empty() &&
         copies_gone.empty() && copies_added.empty() && weights_moved.empty() &&
         weights_gone.empty() && weights_added.empty() &&
         std::ranges::all_of(totals, [](const Change& change) {
           return change.before == change.after && change.open_before == change.open_after;
         });
}

PlacementDiff diff(const Placement& before, const Placement& after) {
  if (!before.defined() || !after.defined()) {
    throw Error(ErrorCode::invalid_argument, "diff: a placement is empty; plan() makes one.");
  }
  PlacementDiff out;
  out.before = before;
  out.after = after;
  std::map<std::string, std::string> new_names;
  compare_nodes(out, new_names);
  compare_copies(out, new_names);
  compare_weights(out);
  compare_totals(out);
  return out;
}

std::vector<std::string> PlacementDiff::worse() const {
  std::vector<std::string> out;
  const RunCopies copies = after.run_copies(), copies_before = before.run_copies();
  const int fell_before = fallen_back(before), fell_after = fallen_back(after);
  if (fell_after > fell_before) {
    out.push_back(fmt::format("nodes that fell back: {}, before {}", fell_after, fell_before));
  }
  if (copies.count > copies_before.count) {
    out.push_back(fmt::format("copies of a run: {}, before {}", copies.count, copies_before.count));
  }
  if (copies.bytes() > copies_before.bytes() || (copies.open && !copies_before.open)) {
    out.push_back(fmt::format("bytes of a run: {}{}, before {}", copies.bytes(),
                              copies.open ? " and more that only data or trips decide" : "",
                              copies_before.bytes()));
  }
  // Less than a thousandth is the order of a sum.
  const auto was = seconds_of(before), is = seconds_of(after);
  if (was && is && *is > *was * 1.001) {
    out.push_back(fmt::format("predicted time of a run: {}, before {}", human_seconds(*is),
                              human_seconds(*was)));
  }
  return out;
}

}  // namespace ferry
