#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ferry/device.h"
#include "ferry/placement.h"

namespace ferry {

// What a run did, for the caller who asks.
struct RunReport {
  struct Copy {
    std::string value;
    Device from, to;
    int64_t bytes = 0;  // that crossed, of all times; 0 for a copy that was planned and not made
    int64_t times = 0;
    bool by_kernel = false;  // what the kernel that makes `value` moved for itself, such as a count
    int64_t planned_bytes = 0, planned_times = 0;
    // The host's memory was not pinned: the device's driver copies it through a buffer of its own,
    // and the copy was not asynchronous. A Runner's buffers are pinned.
    bool pageable = false;

    bool as_planned() const { return bytes == planned_bytes && times == planned_times; }
  };
  // Everything that crossed between devices in this run or was planned to, in the order of the
  // plan.
  std::vector<Copy> copies;
  std::string ledger_difference;  // "" when they are the copies that the placement planned
  std::string trace_json;         // Chrome's Trace Event Format, when asked for
  MeasuredRun measured;           // time of every node and copy, when a trace was asked for
  double seconds = 0;
};

// Ends runs from another thread. Copies share one switch; once on, it stays on. Thread-safe.
class CancelToken {
 public:
  void cancel() noexcept { switch_->store(true, std::memory_order_relaxed); }
  bool cancelled() const noexcept { return switch_->load(std::memory_order_relaxed); }

 private:
  std::shared_ptr<std::atomic<bool>> switch_ = std::make_shared<std::atomic<bool>>(false);
};

struct RunOptions {
  bool check_ledger = false;    // a difference between copies planned and made is an Error
  bool trace = false;           // measures every step; waits for each, so the run takes longer
  RunReport* report = nullptr;  // filled in when given

  // The outputs wanted, by name and in this order; empty: all. Nodes and copies that only other
  // outputs need are not run. Inputs are given as ever. A tensor that a node within the model
  // writes (NodePlacement::outputs), bodies apart, can be wanted as well: it comes back where the
  // node is, and changes neither the placement nor what runs before it.
  std::vector<std::string> outputs;
  // Where the outputs come back, instead of where the placement delivers them (cpu, unless its
  // request says otherwise). Strings are always on the CPU. The first run with a new choice of
  // outputs or device makes a plan of its own, as a new input shape does.
  std::optional<Device> outputs_on;

  // Both are looked at before every node, through bodies, and when the device's work is done: a run
  // that was cancelled or is late gives an Error (cancelled, deadline_exceeded), which names the
  // node that it came to, and never outputs. Work that a device has begun is waited for; the model
  // and its inputs can be used again at once.
  std::optional<CancelToken> cancel;
  std::optional<std::chrono::steady_clock::time_point> deadline;
};

}  // namespace ferry
