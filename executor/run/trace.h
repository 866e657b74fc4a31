#pragma once

#include <string>
#include <vector>

#include "ferry/placement.h"

namespace ferry {

// One span of time on one track.
struct TraceEvent {
  std::string name;
  std::string category;  // the operator, or "copy"
  std::string track;     // "cpu", "sim:0 compute", "sim:0 h2d"
  double start_us = 0;   // since the run began
  double duration_us = 0;
  // As MeasuredRun::Step: the node or the copied value, and the device that is charged.
  std::string subject;
  bool copy = false;
  Device device;
};

// What happened when in one run, for chrome://tracing and Perfetto.
class Trace {
 public:
  void add(TraceEvent event) { events_.push_back(std::move(event)); }
  const std::vector<TraceEvent>& events() const { return events_; }

  // The Trace Event Format's JSON object: complete events ("X"), one thread a track.
  std::string json() const;
  // The time of each node and copy, all times together, in order of their first.
  std::vector<MeasuredRun::Step> steps() const;

 private:
  std::vector<TraceEvent> events_;
};

}  // namespace ferry
