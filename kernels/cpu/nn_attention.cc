// Attention (opset 24) and RotaryEmbedding (opset 23).
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/cpu/bool_byte.h"
#include "kernels/cpu/element.h"
#include "kernels/cpu/engine/broadcast.h"
#include "kernels/cpu/engine/gemm.h"
#include "kernels/cpu/engine/loop.h"
#include "kernels/cpu/engine/simd_softmax.h"
#include "kernels/cpu/engine/through_float.h"
#include "kernels/cpu/families.h"
#include "kernels/scratch.h"
#include "kernels/sizes.h"

namespace ferry::cpu {
namespace {

// Heads of [batch, heads, steps, size], or of [batch, steps, heads * size] where they lie side by
// side; strides in elements.
struct Heads {
  int64_t batch = 0, heads = 0, steps = 0, size = 0;
  int64_t batch_stride = 0, head_stride = 0, step_stride = 0;

  Heads() = default;
  Heads(const Shape& shape, const int64_t* head_count) {
    batch = shape[0];
    if (shape.size() == 4) {
      heads = shape[1];
      steps = shape[2];
      size = shape[3];
      step_stride = size;
      head_stride = steps * size;
    } else {
      heads = *head_count;
      steps = shape[1];
      size = heads == 0 ? 0 : shape[2] / heads;
      step_stride = heads * size;
      head_stride = size;
    }
    batch_stride = numel_of(Shape{heads, steps, size});
  }
  int64_t offset(int64_t b, int64_t h) const { return b * batch_stride + h * head_stride; }
};

struct State : KernelState {
  Heads q, k, v, y;
  int64_t past = 0, total = 0;  // steps of keys and values before, and in all
  bool has_mask = false, mask_is_bool = false, has_past = false, has_lengths = false;
  bool causal = false;
  bool present_key = false, present_value = false, scores = false;
  int64_t scores_mode = 0;
  int64_t mask_steps = 0;        // of the mask's last axis; later ones are masked
  int64_t mask_strides[3] = {};  // batch, head, query
  double scale = 1, softcap = 0;
  size_t key_offset = 0, value_offset = 0;  // copies in the workspace, in bytes
  int64_t wave = 1;                         // heads worked on at once
  void (*run)(const State&, const RunContext&) = nullptr;
};

// [batch, heads, past + now, size] from what came before and what is new.
template <typename T>
void join(const State& state, const Heads& now, const T* past, const T* fresh, T* out) {
  for (int64_t b = 0; b < now.batch; ++b) {
    for (int64_t h = 0; h < now.heads; ++h) {
      T* to = out + (b * now.heads + h) * state.total * now.size;
      if (past != nullptr) {
        to = std::copy_n(past + (b * now.heads + h) * state.past * now.size, state.past * now.size,
                         to);
      }
      const T* from = fresh + now.offset(b, h);
      for (int64_t s = 0; s < now.steps; ++s) {
        to = std::copy_n(from + s * now.step_stride, now.size, to);
      }
    }
  }
}

// The valid keys of a sample.
int64_t valid_keys(const State& state, const RunContext& context, int64_t b) {
  if (!state.has_lengths) return state.total;
  const int64_t valid = context.input<int64_t>(6)[b];
  if (valid >= 0 && valid <= state.total) return valid;
  throw Error(ErrorCode::runtime, "nonpad_kv_seqlen holds " + std::to_string(valid) +
                                      ", expected 0 to " + std::to_string(state.total));
}

// Adds the mask, the causal triangle and the padding to the scores of one head.
template <typename T>
void add_bias(const State& state, const RunContext& context, int64_t b, int64_t h, T* scores) {
  constexpr T kMasked = -std::numeric_limits<T>::infinity();
  const int64_t valid = valid_keys(state, context, b);
  for (int64_t i = 0; i < state.q.steps; ++i) {
    T* row = scores + i * state.total;
    if (state.has_mask) {
      const int64_t base =
          b * state.mask_strides[0] + h * state.mask_strides[1] + i * state.mask_strides[2];
      for (int64_t j = 0; j < state.total; ++j) {
        const int64_t at = base + j;
        if (j >= state.mask_steps) {
          row[j] = kMasked;
        } else if (state.mask_is_bool) {
          if (!context.input<BoolByte>(3)[at]) row[j] = kMasked;
        } else {
          row[j] += context.input<T>(3)[at];
        }
      }
    }
    // A query sees the keys up to its own step. Its step counts from the past, or, where the keys
    // are padded, so that the last query is at the last valid key.
    const int64_t offset = state.has_lengths ? valid - state.q.steps : state.past;
    const int64_t seen = state.causal ? std::min(state.total, i + offset + 1) : state.total;
    for (int64_t j = std::max<int64_t>(0, std::min(seen, valid)); j < state.total; ++j) {
      row[j] = kMasked;
    }
  }
}

void softmax(const float* in, float* out, int64_t count) { simd_softmax_row()(in, out, count); }
void softmax(const double* in, double* out, int64_t count) {
  const double largest = *std::max_element(in, in + count);
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += out[i] = std::exp(in[i] - largest);
  for (int64_t i = 0; i < count; ++i) out[i] /= sum;
}

template <typename T>
void run_attention(const State& state, const RunContext& context) {
  const Heads& q = state.q;
  T* workspace = static_cast<T*>(context.workspace);
  const T* keys = context.input<T>(1);
  const T* values = context.input<T>(2);
  Heads k = state.k, v = state.v;
  const auto joined = [&](Heads& heads, int past_input, const T* fresh, bool wanted, int output,
                          size_t offset) {
    if (!state.has_past && !wanted) return fresh;
    T* out = wanted ? context.output<T>(output)
                    : reinterpret_cast<T*>(static_cast<std::byte*>(context.workspace) + offset);
    join(state, heads, state.has_past ? context.input<T>(past_input) : nullptr, fresh, out);
    heads = Heads({heads.batch, heads.heads, state.total, heads.size}, nullptr);
    return static_cast<const T*>(out);
  };
  keys = joined(k, 4, keys, state.present_key, 1, state.key_offset);
  values = joined(v, 5, values, state.present_value, 2, state.value_offset);

  const int64_t count = q.batch * q.heads;
  const int64_t matrix = q.steps * state.total;
  const auto keep = [&](int64_t mode, int64_t index, const T* scores) {
    if (state.scores && state.scores_mode == mode) {
      std::copy_n(scores, matrix, context.output<T>(3) + index * matrix);
    }
  };
  const auto run_head = [&](int64_t index, T* scores) {
    const int64_t b = index / q.heads;
    const int64_t h = index % q.heads;
    const int64_t kv = h / std::max<int64_t>(1, q.heads / k.heads);
    Gemm<T> product;
    product.m = q.steps;
    product.n = state.total;
    product.k = q.size;
    product.alpha = static_cast<T>(state.scale);
    product.a = {context.input<T>(0) + q.offset(b, h), q.step_stride, 1};
    product.b = {keys + k.offset(b, kv), 1, k.step_stride};
    product.c = scores;
    product.c_stride = state.total;
    gemm(product, context.threads);
    keep(0, index, scores);
    if (state.softcap != 0) {
      const T cap = static_cast<T>(state.softcap);
      for (int64_t i = 0; i < matrix; ++i) scores[i] = cap * std::tanh(scores[i] / cap);
    }
    keep(1, index, scores);
    add_bias(state, context, b, h, scores);
    keep(2, index, scores);
    for (int64_t i = 0; i < q.steps && state.total > 0; ++i) {
      T* row = scores + i * state.total;
      softmax(row, row, state.total);
      // A row that sees nothing attends to nothing.
      if (row[0] != row[0]) {
        bool nothing = true;
        for (int64_t j = 0; j < state.total; ++j) nothing = nothing && row[j] != row[j];
        if (nothing) std::fill_n(row, state.total, T(0));
      }
    }
    keep(3, index, scores);
    Gemm<T> mix;
    mix.m = q.steps;
    mix.n = v.size;
    mix.k = state.total;
    mix.a = {scores, state.total, 1};
    mix.b = {values + v.offset(b, kv), v.step_stride, 1};
    mix.c = context.output<T>(0) + state.y.offset(b, h);
    mix.c_stride = state.y.step_stride;
    gemm(mix, context.threads);
  };
  for (int64_t first = 0; first < count; first += state.wave) {
    const int64_t heads = std::min(state.wave, count - first);
    const auto run = [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) run_head(first + i, workspace + i * matrix);
    };
    if (heads == 1 || context.threads == nullptr) {
      run(0, heads);
    } else {
      context.threads->parallel_for(heads, 1, run);
    }
  }
}

std::unique_ptr<KernelState> prepare_attention(const NodeFacts& node, Prepare& prepare) {
  auto state = std::make_unique<State>();
  const Attributes& attributes = *node.attributes;
  const int64_t* q_heads = attributes.find<int64_t>("q_num_heads");
  const int64_t* kv_heads = attributes.find<int64_t>("kv_num_heads");
  state->q = Heads(node.input(0).shape, q_heads);
  state->k = Heads(node.input(1).shape, kv_heads);
  state->v = Heads(node.input(2).shape, kv_heads);
  state->y = Heads(node.output(0).shape, q_heads);
  state->has_past = node.has_input(4);
  state->past = state->has_past ? node.input(4).shape[2] : 0;
  state->total = add_sizes(state->past, state->k.steps);
  state->causal = attributes.get_int("is_causal") != 0;
  state->softcap = static_cast<double>(attributes.get_float("softcap"));
  const float* scale = attributes.find<float>("scale");
  state->scale = scale != nullptr ? static_cast<double>(*scale)
                                  : 1 / std::sqrt(static_cast<double>(state->q.size));
  state->has_lengths = node.has_input(6);
  state->present_key = node.has_output(1);
  state->present_value = node.has_output(2);
  state->scores = node.has_output(3);
  state->scores_mode = attributes.get_int("qk_matmul_output_mode");
  state->has_mask = node.has_input(3);
  if (state->has_mask) {
    const Shape& mask = node.input(3).shape;
    state->mask_is_bool = node.input(3).dtype == boolean;
    state->mask_steps = mask.back();
    // Strides of query, head and batch; 0 where the mask has one of them.
    int64_t stride = mask.back();
    for (size_t i = 1; i < mask.size() && i < 4; ++i) {
      const int64_t size = mask[mask.size() - 1 - i];
      state->mask_strides[3 - i] = size == 1 ? 0 : stride;
      stride *= size;
    }
  }
  const DType dtype = node.input(0).dtype;
  state->wave = std::clamp<int64_t>(prepare.threads().size(), 1,
                                    std::max<int64_t>(1, state->q.batch * state->q.heads));
  ScratchLayout scratch;
  scratch.take(dtype, numel_of(Shape{state->wave, state->q.steps, state->total}));
  const auto reserve = [&](const Heads& heads, bool wanted) {
    const Shape shape{heads.batch, heads.heads, state->total, heads.size};
    return scratch.take(dtype, state->has_past && !wanted ? numel_of(shape) : 0);
  };
  state->key_offset = reserve(state->k, state->present_key);
  state->value_offset = reserve(state->v, state->present_value);
  prepare.set_workspace(scratch.bytes());
  state->run = visit(dtype, RealTypes(), []<typename T>() { return run_attention<T>; });
  return state;
}

void run(const KernelState* kernel_state, const RunContext& context) {
  const State& state = *static_cast<const State*>(kernel_state);
  state.run(state, context);
}

Support float_types_alike(const NodeFacts& node) {
  for (int i : {1, 2, 4, 5}) {
    if (node.has_input(i) && node.input(i).dtype != node.input(0).dtype) {
      return Support::no(ReasonCode::dtype, "the inputs have more than one type");
    }
  }
  if (node.has_input(3) && node.input(3).dtype != boolean &&
      node.input(3).dtype != node.input(0).dtype) {
    return Support::no(ReasonCode::dtype, "the mask is neither bool nor of the queries' type");
  }
  return Support::yes();
}

// Inputs of float16, bfloat16 and float32 in any mixture.
Support no_float64(const NodeFacts& node) {
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (node.inputs[i].dtype == float64) {
      return Support::no(ReasonCode::dtype, "the inputs have more than one type");
    }
  }
  return Support::yes();
}

constexpr Kernel mixed_attention() {
  Kernel row = low_float_row<prepare_attention, run>("Attention", no_float64);
  row.types = row.types | TypeSet{float32};
  return row;
}

// ---- RotaryEmbedding ----------------------------------------------------------------------------

struct RotaryState : KernelState {
  Heads x;
  int64_t half = 0;
  int64_t cache_rows = 0;  // of the caches, where position_ids name them
  bool has_positions = false, interleaved = false;
  void (*run)(const RotaryState&, const RunContext&) = nullptr;
};

// Turns each pair (x1, x2) by the angle whose cosine and sine the caches hold for its step.
template <typename T>
void run_rotary(const RotaryState& state, const RunContext& context) {
  const T* cosines = context.input<T>(1);
  const T* sines = context.input<T>(2);
  const Heads& x = state.x;
  for_range(context, x.batch * x.steps, x.heads * x.size * 2, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t b = i / x.steps;
      const int64_t s = i % x.steps;
      int64_t row = i;
      if (state.has_positions) {
        row = context.input<int64_t>(3)[i];
        if (row < 0 || row >= state.cache_rows) {
          throw Error(ErrorCode::runtime, "the position " + std::to_string(row) +
                                              " is outside the caches' " +
                                              std::to_string(state.cache_rows) + " rows");
        }
      }
      const T* cosine = cosines + row * state.half;
      const T* sine = sines + row * state.half;
      for (int64_t h = 0; h < x.heads; ++h) {
        const int64_t at = x.offset(b, h) + s * x.step_stride;
        const T* in = context.input<T>(0) + at;
        T* out = context.output<T>(0) + at;
        for (int64_t k = 0; k < state.half; ++k) {
          const int64_t first = state.interleaved ? 2 * k : k;
          const int64_t second = state.interleaved ? 2 * k + 1 : k + state.half;
          const T x1 = in[first];
          const T x2 = in[second];
          out[first] = cosine[k] * x1 - sine[k] * x2;
          out[second] = sine[k] * x1 + cosine[k] * x2;
        }
        std::copy(in + 2 * state.half, in + x.size, out + 2 * state.half);
      }
    }
  });
}

std::unique_ptr<KernelState> prepare_rotary(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<RotaryState>();
  const Attributes& attributes = *node.attributes;
  state->x = Heads(node.input(0).shape, attributes.find<int64_t>("num_heads"));
  const int64_t dim = attributes.get_int("rotary_embedding_dim");
  state->half = (dim == 0 ? state->x.size : dim) / 2;
  state->interleaved = attributes.get_int("interleaved") != 0;
  state->has_positions = node.has_input(3);
  state->cache_rows = node.input(1).shape[0];
  state->run = visit(node.input(0).dtype, RealTypes(), []<typename T>() { return run_rotary<T>; });
  return state;
}

void run_rotary_kernel(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const RotaryState*>(kernel_state);
  state.run(state, context);
}

constexpr Kernel kKernels[] = {
    {.op = "Attention",
     .types = kReal,
     .prepare = prepare_attention,
     .run = run,
     .supports = float_types_alike},
    mixed_attention(),
    {.op = "RotaryEmbedding", .types = kReal, .prepare = prepare_rotary, .run = run_rotary_kernel},
    low_float_row<prepare_rotary, run_rotary_kernel>("RotaryEmbedding"),
};

}  // namespace

KernelFamily nn_attention_kernels() { return kKernels; }

}  // namespace ferry::cpu
