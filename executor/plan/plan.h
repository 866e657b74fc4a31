#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/lazy.h"
#include "executor/plan/memory_planner.h"
#include "graph/graph.h"
#include "kernels/kernel.h"

// A plan is a placed graph lowered for one tuple of input shapes: a flat array of steps over slots
// whose places are decided. It is immutable and shared by concurrent runs; each run has its own
// RunState (executor/run.h) with the memory.
namespace ferry {

using SlotId = int32_t;
inline constexpr SlotId kNoSlot = -1;

// Where the memory of a value comes from.
enum class SlotHome : uint8_t {
  input,     // the caller's tensor
  constant,  // a weight, already on its device
  arena,     // this plan's arena on the slot's device
  output,    // a fresh tensor for each run, given to the caller
  owned,     // a tensor that a step makes during the run (shapes or places only known then)
};

struct Slot {
  std::string name;  // of the value
  SlotHome home = SlotHome::arena;
  Device device;
  DType dtype = DType::undefined;
  bool concrete = false;  // the shape is known
  Shape shape;
  size_t bytes = 0;                    // when concrete
  size_t offset = 0;                   // in the arena
  int first_step = 0, last_step = -1;  // of a root in the arena: its room is its own between them
  Tensor constant;                     // on `device`
  SlotId root = kNoSlot;               // whose memory this is: itself, or what it is a view of
  // Of a root: the device that copies bring it to, and whether anything else needs it on `device`.
  std::optional<Device> copied_to;
  bool read_here = false;
};

enum class StepKind : uint8_t {
  kernel,   // everything was decided here; the fast path
  dynamic,  // sizes, or contents that the kernel wants, are known only at run time; also bodies
  copy,     // between devices
};

struct Step {
  StepKind kind = StepKind::kernel;
  Device device;
  const Kernel* kernel = nullptr;
  const WorkSite* site = nullptr;      // on devices: whom their errors name
  std::shared_ptr<KernelState> state;  // StepKind::kernel, and steps with bodies
  NodeId node = kNoNode;
  std::vector<SlotId> inputs, outputs;
  Ports packed;                  // constant inputs that the state holds in another layout
  std::vector<SlotId> captures;  // outer slots, parallel to the bodies' captures
  // Copied values that this step is the first to read, on the host or on the device's stream.
  std::vector<SlotId> host_waits, device_waits;
  int32_t first_argument = 0;  // inputs, then outputs, in RunState's argument table
  int body_index = -1;         // into Plan::bodies
};

class PlanCache;

struct Plan {
  std::shared_ptr<const Graph> graph;  // concrete types; steps point to its nodes
  std::string scope;                   // prefix of value names in ledger and errors
  std::vector<Slot> slots;
  std::vector<Step> steps;
  std::vector<SlotId> inputs;    // of graph->inputs()
  std::vector<SlotId> captures;  // of graph->captures()
  std::vector<SlotId> outputs;
  std::vector<std::vector<int32_t>> slot_arguments;  // root slot -> positions in the table
  int32_t argument_count = 0;
  std::map<Device, size_t> arena_bytes;
  std::map<Device, size_t> workspace_bytes;
  // For each step with bodies: a cache of plans per body.
  std::vector<std::vector<std::unique_ptr<PlanCache>>> bodies;

  // Arenas and workspaces of a run, the host's apart.
  std::map<Device, size_t> device_bytes() const;
};

// What lowering needs of the model, shared by all of its plans. Thread-safe.
class PlanServices {
 public:
  virtual ~PlanServices() = default;
  // The weight on `device`, uploaded once per (elements, device).
  virtual Tensor constant_on(const Tensor& weight, Device device) = 0;
  // Prepare::cached for the weight.
  virtual std::shared_ptr<const void> packed(const Tensor& weight, std::string_view layout,
                                             FunctionRef<std::shared_ptr<const void>()> make) = 0;
  virtual ThreadPool& threads() = 0;
  // The plan is made for its sizes alone: kernels of the CPU are not prepared, and nothing is
  // packed or uploaded.
  virtual bool only_sizes() const { return false; }
  // The name of a node for a device's errors; lives as long as the services.
  virtual const WorkSite* site(const Node& node) = 0;
};

// Lowers `graph` (placed, concrete input shapes in it). `scope` is "" for the model itself and the
// node's path for its bodies. Throws Error with node and operator.
std::shared_ptr<const Plan> lower(Graph graph, std::string scope, PlanServices& services);

// `graph` with the shapes of its inputs set, inferred, shape arithmetic folded.
Graph with_input_shapes(const Graph& graph, const std::vector<Shape>& shapes);

// Plans of one placed graph by the shapes of its inputs and captures; the least recently used are
// dropped. Thread-safe; while a plan is made, those who want another do not wait for it.
class PlanCache {
 public:
  PlanCache(std::shared_ptr<const Graph> graph, std::string scope, PlanServices& services)
      : graph_(std::move(graph)), scope_(std::move(scope)), services_(services) {}

  // `shapes`: of the inputs, then of the captures.
  std::shared_ptr<const Plan> get(const std::vector<Shape>& shapes);
  const Graph& graph() const { return *graph_; }
  int64_t plans_made() const { return plans_made_; }

 private:
  using LazyPlan = Lazy<std::shared_ptr<const Plan>>;
  struct Entry {
    std::vector<Shape> shapes;
    std::shared_ptr<LazyPlan> plan;
  };
  std::shared_ptr<LazyPlan> find(const std::vector<Shape>& shapes);
  static constexpr size_t kCapacity = 16;

  std::shared_ptr<const Graph> graph_;
  std::string scope_;
  PlanServices& services_;
  std::mutex mutex_;
  std::vector<Entry> entries_;  // most recently used first
  std::atomic<int64_t> plans_made_ = 0;
};

}  // namespace ferry
