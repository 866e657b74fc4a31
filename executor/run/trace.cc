#include "executor/run/trace.h"

#include <map>
#include <nlohmann/json.hpp>
#include <tuple>

namespace ferry {

std::string Trace::json() const {
  using Json = nlohmann::ordered_json;
  std::map<std::string, int> tracks;
  Json events = Json::array();
  for (const TraceEvent& event : events_) {
    const auto [at, is_new] = tracks.emplace(event.track, static_cast<int>(tracks.size()));
    if (is_new) {
      events.push_back({{"ph", "M"},
                        {"pid", 0},
                        {"tid", at->second},
                        {"name", "thread_name"},
                        {"args", {{"name", event.track}}}});
    }
    events.push_back({{"ph", "X"},
                      {"pid", 0},
                      {"tid", at->second},
                      {"name", event.name},
                      {"cat", event.category},
                      {"ts", event.start_us},
                      {"dur", event.duration_us}});
  }
  return Json{{"traceEvents", std::move(events)}, {"displayTimeUnit", "ms"}}.dump(1) + "\n";
}

std::vector<MeasuredRun::Step> Trace::steps() const {
  std::vector<MeasuredRun::Step> out;
  std::map<std::tuple<std::string, bool, Device>, size_t> known;
  for (const TraceEvent& event : events_) {
    const auto [at, is_new] =
        known.try_emplace({event.subject, event.copy, event.device}, out.size());
    if (is_new) out.push_back({event.subject, event.copy, event.device, 0, 0});
    out[at->second].seconds += event.duration_us * 1e-6;
    ++out[at->second].times;
  }
  return out;
}

}  // namespace ferry
