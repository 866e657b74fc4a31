#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "core/human.h"
#include "ferry/diff.h"
#include "placement/report/facts.h"
#include "placement/report/markdown.h"

namespace ferry {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kShown = 20;  // lines of one list; JSON has all

std::string shown(const Change& change, std::optional<double> value, bool open) {
  if (!value) return "-";
  const std::string text = change.unit == Change::Unit::seconds ? human_seconds(*value)
                           : change.unit == Change::Unit::bytes
                               ? human_bytes(static_cast<int64_t>(*value))
                               : fmt::format("{:.0f}", *value);
  return text + (open ? "+" : "");
}

// "+2", "-1.0 KiB", "+25.0 %"; "" where nothing changed or one side is not known.
std::string difference(const Change& change) {
  if (!change.before || !change.after || *change.before == *change.after) return "";
  const double by = *change.after - *change.before;
  if (change.unit == Change::Unit::seconds) {
    return *change.before == 0 ? "" : fmt::format("{:+.1f} %", 100 * by / *change.before);
  }
  Change size = change;
  return (by < 0 ? "-" : "+") + shown(size, std::abs(by), false);
}

std::string because(const NodePlacement& node) {
  return node.reason + (node.detail.empty() ? "" : ", " + node.detail);
}

std::string homes_of(const WeightPlacement& weight) {
  std::string out;
  for (const Device& home : weight.homes) out += (out.empty() ? "" : ", ") + home.str();
  return out;
}

std::string size_of(const CopyPlacement& copy) {
  if (copy.bytes.expression == "?") return "data decides";
  const std::string times = copy.when == "load"   ? " at load"
                            : copy.when == "trip" ? fmt::format(" x {} trips", copy.times)
                                                  : "";
  return human_bytes(copy.bytes.value) + times;
}

std::string readers_of(const CopyPlacement& copy) {
  std::string out = copy.producer + " -> ";
  for (size_t i = 0; i < std::min<size_t>(3, copy.consumers.size()); ++i) {
    out += (i > 0 ? ", " : "") + copy.consumers[i];
  }
  return out +
         (copy.consumers.size() > 3 ? fmt::format(", {} more", copy.consumers.size() - 3) : "");
}

// Every list of the difference as rows of words: what the faces for people share.
struct Section {
  std::string title;
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
};

Section moved_nodes(const PlacementDiff& diff) {
  Section out{"nodes on another device", {"node", "op", "from, to", "why", "why before"}, {}};
  for (const NodePair& pair : diff.moved) {
    out.rows.push_back({pair.after->name, pair.after->op,
                        pair.before->device.str() + " -> " + pair.after->device.str(),
                        because(*pair.after), because(*pair.before)});
  }
  return out;
}

Section other_nodes(const char* title, const std::vector<const NodePlacement*>& nodes) {
  Section out{title, {"node", "op", "device", "why"}, {}};
  for (const NodePlacement* node : nodes) {
    out.rows.push_back({node->name, node->op, node->device.str(), because(*node)});
  }
  return out;
}

Section copies(const char* title, const std::vector<const CopyPlacement*>& list) {
  Section out{title, {"value", "from, to", "bytes", "producer -> consumers"}, {}};
  for (const CopyPlacement* copy : list) {
    if (copy->when == "load") continue;  // those of weights are among the homes
    out.rows.push_back({copy->value, copy->from.str() + " -> " + copy->to.str(), size_of(*copy),
                        readers_of(*copy)});
  }
  return out;
}

Section resized_copies(const PlacementDiff& diff) {
  Section out{"copies of other size", {"value", "from, to", "bytes", "bytes before"}, {}};
  for (const CopyPair& pair : diff.copies_resized) {
    out.rows.push_back({pair.after->value, pair.after->from.str() + " -> " + pair.after->to.str(),
                        size_of(*pair.after), size_of(*pair.before)});
  }
  return out;
}

Section moved_weights(const PlacementDiff& diff) {
  Section out{"weights with other homes", {"weight", "bytes", "homes", "homes before"}, {}};
  for (const WeightPair& pair : diff.weights_moved) {
    out.rows.push_back({pair.after->name, human_bytes(pair.after->bytes), homes_of(*pair.after),
                        homes_of(*pair.before)});
  }
  return out;
}

Section other_weights(const char* title, const std::vector<const WeightPlacement*>& weights) {
  Section out{title, {"weight", "type", "bytes", "homes"}, {}};
  for (const WeightPlacement* weight : weights) {
    out.rows.push_back({weight->name, std::string(to_string(weight->dtype)) + weight->shape,
                        human_bytes(weight->bytes), homes_of(*weight)});
  }
  return out;
}

std::vector<Section> sections(const PlacementDiff& diff) {
  std::vector<Section> out = {moved_nodes(diff),
                              other_nodes("nodes added", diff.nodes_added),
                              other_nodes("nodes gone", diff.nodes_gone),
                              copies("copies added", diff.copies_added),
                              copies("copies gone", diff.copies_gone),
                              resized_copies(diff),
                              moved_weights(diff),
                              other_weights("weights added", diff.weights_added),
                              other_weights("weights gone", diff.weights_gone)};
  std::erase_if(out, [](const Section& section) { return section.rows.empty(); });
  return out;
}

std::string columns_of(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()), 0);
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) line += fmt::format("  {:<{}}", row[i], widths[i]);
    out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return out;
}

std::string markdown_table(const std::vector<std::vector<std::string>>& rows) {
  std::string out = markdown_head(rows[0], std::string(rows[0].size(), 'l'));
  for (size_t i = 1; i < rows.size(); ++i) {
    std::vector<std::string> cells;
    for (const std::string& cell : rows[i]) cells.push_back(markdown_plain(cell));
    out += markdown_row(cells);
  }
  return out;
}

std::vector<std::vector<std::string>> rows_of(const Section& section) {
  std::vector<std::vector<std::string>> rows = {section.columns};
  for (size_t i = 0; i < std::min(kShown, section.rows.size()); ++i) {
    rows.push_back(section.rows[i]);
    for (std::string& cell : rows.back()) cell = printable(cell);
  }
  return rows;
}

std::string more_of(const Section& section) {
  return section.rows.size() <= kShown
             ? ""
             : fmt::format("and {} more; the JSON form has all", section.rows.size() - kShown);
}

std::vector<std::vector<std::string>> total_rows(const PlacementDiff& diff) {
  std::vector<std::vector<std::string>> rows = {{"", "before", "after", "change"}};
  for (const Change& change : diff.totals) {
    rows.push_back({change.name, shown(change, change.before, change.open_before),
                    shown(change, change.after, change.open_after), difference(change)});
  }
  return rows;
}

Json copy_json(const CopyPlacement& copy) {
  return {{"value", copy.value},       {"from", copy.from.str()},
          {"to", copy.to.str()},       {"bytes", copy.bytes.value},
          {"when", copy.when},         {"kind", copy.kind},
          {"times", copy.times},       {"expression", copy.bytes.expression},
          {"producer", copy.producer}, {"consumers", copy.consumers}};
}

Json weight_json(const WeightPlacement& weight) {
  Json homes = Json::array();
  for (const Device& home : weight.homes) homes.push_back(home.str());
  return {{"name", weight.name},
          {"dtype", to_string(weight.dtype)},
          {"shape", weight.shape},
          {"bytes", weight.bytes},
          {"homes", std::move(homes)}};
}

Json node_json(const NodePlacement& node) {
  return {{"name", node.name},
          {"op", node.op},
          {"device", node.device.str()},
          {"reason", {{"code", node.reason}, {"detail", node.detail}}}};
}

template <typename Item, typename F>
Json list(const std::vector<Item>& items, F item_json) {
  Json out = Json::array();
  for (const Item& item : items) out.push_back(item_json(item));
  return out;
}

// Of pairs: {"before": ..., "after": ...}.
template <typename Pair, typename F>
Json pair_list(const std::vector<Pair>& pairs, F item_json) {
  return list(pairs, [&](const Pair& pair) {
    return Json{{"before", item_json(*pair.before)}, {"after", item_json(*pair.after)}};
  });
}

template <typename Item, typename F>
Json pointer_list(const std::vector<const Item*>& items, F item_json) {
  return list(items, [&](const Item* item) { return item_json(*item); });
}

}  // namespace

std::string PlacementDiff::summary() const {
  if (same()) return "the placements are the same";
  std::string out;
  const auto add = [&](size_t count, const char* what) {
    if (count > 0) out += fmt::format("{}{} {}", out.empty() ? "" : "; ", count, what);
  };
  add(moved.size(), "node(s) moved");
  add(nodes_added.size(), "node(s) added");
  add(nodes_gone.size(), "node(s) gone");
  add(weights_moved.size(), "weight(s) with other homes");
  for (const Change& change : totals) {
    const bool is_told = change.name.ends_with("of a run") && change.before != change.after;
    if (!is_told) continue;
    out += fmt::format("{}{} {} -> {}", out.empty() ? "" : "; ", change.name,
                       shown(change, change.before, change.open_before),
                       shown(change, change.after, change.open_after));
  }
  return out.empty() ? "the placements differ in totals alone" : out;
}

std::string PlacementDiff::text(const std::string& before_title,
                                const std::string& after_title) const {
  std::string out =
      fmt::format("before  {}\nafter   {}\n{}\n\n", before_title, after_title, summary()) +
      columns_of(total_rows(*this));
  if (!renamed.empty()) {
    out += fmt::format(
        "\n{} node(s) have another name, and were paired by operator, sources and order\n",
        renamed.size());
  }
  for (const Section& section : sections(*this)) {
    out += fmt::format("\n{} ({})\n", section.title, section.rows.size()) +
           columns_of(rows_of(section));
    if (!more_of(section).empty()) out += "  " + more_of(section) + "\n";
  }
  return out;
}

std::string PlacementDiff::markdown(const std::string& before_title,
                                    const std::string& after_title) const {
  const std::vector<std::string> reasons = worse();
  std::string out = fmt::format("### Placement: {}\n\n`{}` → `{}`\n\n", summary(),
                                printable(before_title), printable(after_title)) +
                    markdown_table(total_rows(*this));
  if (!reasons.empty()) out += "\n> [!WARNING]\n> It is worse:\n";
  for (const std::string& sentence : reasons) out += "> - " + sentence + "\n";
  for (const Section& section : sections(*this)) {
    out += fmt::format("\n<details><summary>{} ({})</summary>\n\n", section.title,
                       section.rows.size()) +
           markdown_table(rows_of(section));
    if (!more_of(section).empty()) out += "\n" + more_of(section) + "\n";
    out += "\n</details>\n";
  }
  return out;
}

std::string PlacementDiff::json(const std::string& before_title,
                                const std::string& after_title) const {
  Json total_list = Json::array();
  static constexpr const char* kUnits[] = {"count", "bytes", "seconds"};
  for (const Change& change : totals) {
    Json entry{{"name", change.name}, {"unit", kUnits[static_cast<int>(change.unit)]}};
    entry["before"] = change.before ? Json(*change.before) : Json();
    entry["after"] = change.after ? Json(*change.after) : Json();
    if (change.open_before || change.open_after) {
      entry["open"] = {{"before", change.open_before}, {"after", change.open_after}};
    }
    total_list.push_back(std::move(entry));
  }
  const Json out{
      {"schema", "ferry.diff/1"},
      {"before", before_title},
      {"after", after_title},
      {"same", same()},
      {"summary", summary()},
      {"worse", worse()},
      {"totals", std::move(total_list)},
      {"nodes",
       {{"moved", pair_list(moved, node_json)},
        {"renamed", pair_list(renamed, node_json)},
        {"added", pointer_list(nodes_added, node_json)},
        {"gone", pointer_list(nodes_gone, node_json)}}},
      {"copies",
       {{"resized", pair_list(copies_resized, copy_json)},
        {"added", pointer_list(copies_added, copy_json)},
        {"gone", pointer_list(copies_gone, copy_json)}}},
      {"weights",
       {{"moved", pair_list(weights_moved, weight_json)},
        {"added", pointer_list(weights_added, weight_json)},
        {"gone", pointer_list(weights_gone, weight_json)}}},
  };
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace ferry
