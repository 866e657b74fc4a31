#pragma once

#include <string>
#include <vector>

namespace ferry {

// One span of time on one track.
struct TraceEvent {
  std::string name;
  std::string category;  // the operator, or "copy"
  std::string track;     // "cpu", "sim:0 compute", "sim:0 h2d"
  double start_us = 0;   // since the run began
  double duration_us = 0;
};

// What happened when in one run, for chrome://tracing and Perfetto.
class Trace {
 public:
  void add(TraceEvent event) { events_.push_back(std::move(event)); }
  const std::vector<TraceEvent>& events() const { return events_; }

  // The Trace Event Format's JSON object: complete events ("X"), one thread a track.
  std::string json() const;

 private:
  std::vector<TraceEvent> events_;
};

}  // namespace ferry
