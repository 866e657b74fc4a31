// NonZero: blocks count, one block places the blocks, blocks write. The host reads the total back
// and has to wait for it, since the output's size is in the data.
#include "devices/cuda/launch.h"
#include "kernels/cuda/block_reduce.h"
#include "kernels/cuda/block_scan.h"
#include "kernels/cuda/element.h"
#include "kernels/cuda/families.h"
#include "kernels/cuda/map.h"
#include "kernels/cuda/walk.h"
#include "kernels/late_output.h"

namespace ferry::cuda {
namespace {

using NonZeroTypes = TypeList<float, double, __half, __nv_bfloat16, int8_t, int16_t, int32_t,
                              int64_t, uint8_t, uint16_t, uint32_t, uint64_t, bool>;

constexpr unsigned kThreads = 256;
constexpr unsigned kItems = 4;  // consecutive elements of a thread
constexpr unsigned kChunk = kThreads * kItems;

template <typename T>
struct Elements {
  const T* data;
  uint32_t count;

  __device__ bool is_nonzero(uint32_t i) const {
    return i < count && static_cast<Compute<T>>(data[i]) != Compute<T>(0);
  }
  // Of this thread's elements.
  __device__ int32_t nonzero_count() const {
    const uint32_t first = blockIdx.x * kChunk + threadIdx.x * kItems;
    int32_t sum = 0;
    for (uint32_t k = 0; k < kItems; ++k) sum += is_nonzero(first + k);
    return sum;
  }
};

template <typename T>
__global__ void count_kernel(Elements<T> elements, int32_t* counts) {
  const int32_t sum = block_reduce<Add>(elements.nonzero_count(), 0);
  if (threadIdx.x == 0) counts[blockIdx.x] = sum;
}

// The counts become the places where the blocks begin, and the total behind them. One block.
__global__ void place_kernel(int32_t* counts, uint32_t blocks) {
  __shared__ int32_t chunk_sum;
  int32_t base = 0;
  for (uint32_t first = 0; first < blocks; first += kThreads) {
    const uint32_t i = first + threadIdx.x;
    const Scan<int32_t> scan = block_scan<kThreads>(i < blocks ? counts[i] : 0);
    if (threadIdx.x == kThreads - 1) chunk_sum = scan.through;
    if (i < blocks) counts[i] = base + scan.before;
    __syncthreads();
    base += chunk_sum;
    __syncthreads();
  }
  if (threadIdx.x == 0) counts[blocks] = base;
}

struct Axes {
  int32_t rank;
  FastDivide sizes[kMaxAxes];  // innermost first
};

template <typename T>
__global__ void write_kernel(Elements<T> elements, const int32_t* first_of_block, Axes axes,
                             int64_t total, int64_t* out) {
  int64_t place =
      first_of_block[blockIdx.x] + block_scan<kThreads>(elements.nonzero_count()).before;
  const uint32_t first = blockIdx.x * kChunk + threadIdx.x * kItems;
  for (uint32_t k = 0; k < kItems; ++k) {
    if (!elements.is_nonzero(first + k)) continue;
    uint32_t rest = first + k;
    for (int32_t i = 0; i < axes.rank; ++i) {
      const uint32_t next = axes.sizes[i].divide(rest);
      out[(axes.rank - 1 - i) * total + place] = rest - next * axes.sizes[i].divisor;
      rest = next;
    }
    ++place;
  }
}

struct State : KernelState {
  Shape shape;
  DType dtype = DType::undefined;
  uint32_t count = 0, blocks = 0;
  LateOutput positions;
};

std::unique_ptr<KernelState> prepare(const NodeFacts& node, Prepare& prepare) {
  auto state = std::make_unique<State>();
  state->shape = node.input(0).shape;
  state->dtype = node.input(0).dtype;
  state->count = map_count(state->shape);
  state->blocks = (state->count + kChunk - 1) / kChunk;
  state->positions = LateOutput(node, 0);
  prepare.set_workspace((size_t{state->blocks} + 1) * sizeof(int32_t));
  return state;
}

template <typename T>
void run_typed(const State& state, const RunContext& context) {
  const Elements<T> elements{context.input<T>(0), state.count};
  auto* per_block = static_cast<int32_t*>(context.workspace);
  const cudaStream_t stream = stream_of(context).activate();
  if (state.blocks > 0) {
    check(launch<count_kernel<T>>(state.blocks, kThreads, 0, stream, elements, per_block),
          "launch a kernel");
  }
  check(launch<place_kernel>(1, kThreads, 0, stream, per_block, state.blocks), "launch a kernel");
  int32_t total = 0;
  context.stream->copy(&total, per_block + state.blocks, sizeof total,
                       CopyDirection::device_to_host);
  context.stream->synchronize();
  const auto rank = static_cast<int64_t>(state.shape.size());
  const int64_t shape[] = {rank, total};
  void* output = state.positions.memory(context, shape);
  if (total == 0 || rank == 0) return;
  Axes axes{static_cast<int32_t>(rank), {}};
  for (int64_t i = 0; i < rank; ++i) {
    axes.sizes[i] = FastDivide(state.shape[rank - 1 - i]);
  }
  check(launch<write_kernel<T>>(state.blocks, kThreads, 0, stream_of(context).activate(), elements,
                                static_cast<const int32_t*>(per_block), axes, int64_t{total},
                                static_cast<int64_t*>(output)),
        "launch a kernel");
}

void run(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const State*>(kernel_state);
  visit(state.dtype, NonZeroTypes(), [&]<typename T>() { run_typed<T>(state, context); });
}

Support few_axes(const NodeFacts& node) {
  if (!node.input(0).has_shape || node.input(0).rank() <= kMaxAxes) return Support::yes();
  return Support::no(ReasonCode::rank_or_layout,
                     "the input has " + std::to_string(node.input(0).rank()) + " axes");
}

constexpr Kernel kKernels[] = {
    {.op = "NonZero",
     .types = type_set(NonZeroTypes()),
     .prepare = prepare,
     .run = run,
     .supports = all_of<countable, few_axes>,
     .late_outputs = {0},
     .read_back = sizeof(int32_t)},
};

}  // namespace

KernelFamily tensor_nonzero_kernels() { return kKernels; }

}  // namespace ferry::cuda
