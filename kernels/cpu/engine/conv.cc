#include "kernels/cpu/engine/conv.h"

#include <algorithm>
#include <array>

#include "kernels/cpu/engine/simd_window.h"
#include "kernels/cpu/engine/window_rows.h"

namespace ferry::cpu {
namespace {

// A run of output positions along the last axis within one panel of columns.
struct Segment {
  Position outer;      // output position on the axes before the last
  int64_t begin, end;  // on the last axis
  int64_t column;      // in the panel
};

// Gathers panels of the matrix [in_channels * kernel, output positions] that multiplies the
// weights.
template <typename T>
class Gather {
 public:
  Gather(const Window& window, const T* x) : window_(window), x_(x) {
    last_ = window.axes.back();
    input_size_ = window.input_size();
    int64_t stride = 1;
    for (size_t i = window.axes.size(); i-- > 0;) {
      strides_[i] = stride;
      stride *= window.axes[i].input;
    }
  }

  void operator()(int64_t k_begin, int64_t depth, int64_t column, int64_t width, T* panel) const {
    const int64_t panel_width = panel_columns<T>();
    std::array<Segment, kMaxPanelColumns> segments;
    const int64_t count = cut(column, width, segments.data());
    const size_t rank = window_.axes.size();
    for (int64_t k = k_begin; k < k_begin + depth; ++k, panel += panel_width) {
      Position tap;  // input position of output position 0 for this row of the matrix
      int64_t rest = k;
      for (size_t i = rank; i-- > 0;) {
        const Window::Axis& axis = window_.axes[i];
        tap[i] = rest % axis.kernel * axis.dilation - axis.pad;
        rest /= axis.kernel;
      }
      const T* channel = x_ + rest * input_size_;
      for (int64_t s = 0; s < count; ++s) fill(segments[s], tap, channel, panel);
      std::fill(panel + width, panel + panel_width, T(0));
    }
  }

 private:
  int64_t cut(int64_t column, int64_t width, Segment* segments) const {
    int64_t count = 0;
    for (int64_t done = 0; done < width;) {
      Segment& segment = segments[count++];
      int64_t rest = (column + done) / last_.output;
      segment.begin = (column + done) % last_.output;
      segment.end = std::min(last_.output, segment.begin + width - done);
      segment.column = done;
      for (size_t i = window_.axes.size() - 1; i-- > 0;) {
        segment.outer[i] = rest % window_.axes[i].output;
        rest /= window_.axes[i].output;
      }
      done += segment.end - segment.begin;
    }
    return count;
  }

  void fill(const Segment& segment, const Position& tap, const T* channel, T* panel) const {
    T* out = panel + segment.column;
    const int64_t size = segment.end - segment.begin;
    for (size_t i = 0; i + 1 < window_.axes.size(); ++i) {
      const int64_t at = segment.outer[i] * window_.axes[i].stride + tap[i];
      if (at < 0 || at >= window_.axes[i].input) {
        std::fill_n(out, size, T(0));
        return;
      }
      channel += at * strides_[i];
    }
    const int64_t offset = tap[window_.axes.size() - 1];
    const Range range = inside(last_, offset, segment.begin, segment.end);
    std::fill_n(out, range.first - segment.begin, T(0));
    T* middle = out + (range.first - segment.begin);
    const int64_t length = range.last - range.first;
    if (length > 0) {
      const T* from = channel + range.first * last_.stride + offset;
      if (last_.stride == 1) {
        std::copy_n(from, length, middle);
      } else {
        for (int64_t i = 0; i < length; ++i) middle[i] = from[i * last_.stride];
      }
    }
    std::fill_n(middle + length, segment.end - range.last, T(0));
  }

  const Window& window_;
  const T* x_;
  Window::Axis last_;
  int64_t input_size_;
  Position strides_{};
};

void multiply_add(const float* x, int64_t stride, float factor, float* y, int64_t count) {
  simd_window().multiply_add(x, stride, factor, y, count);
}
void multiply_add(const double* x, int64_t stride, double factor, double* y, int64_t count) {
  for (int64_t i = 0; i < count; ++i) y[i] += factor * x[i * stride];
}

// Few multiplications per output: a depthwise convolution. One output channel, row by row.
template <typename T>
void convolve_channel(const Convolution& conv, const ActivationFunction& activation, const T* x,
                      const T* w, T bias, T* y) {
  const Window& window = conv.window;
  const Window::Axis& last = window.axes.back();
  const int64_t taps = window.kernel_size();
  const int64_t rows = row_count(window);
  for (int64_t row = 0; row < rows; ++row, y += last.output) {
    std::fill_n(y, last.output, bias);
    for (int64_t c = 0; c < conv.in_channels; ++c) {
      const T* channel = x + c * window.input_size();
      for_row_taps(window, row, [&](int64_t tap, int64_t offset, Range range) {
        multiply_add(channel + offset + range.first * last.stride, last.stride, w[c * taps + tap],
                     y + range.first, range.last - range.first);
      });
    }
    if (activation) activation(y, last.output);
  }
}

template <typename T>
void convolve_depthwise(const Convolution& conv, const ConvolutionTensors<T>& tensors,
                        ThreadPool* threads) {
  const int64_t channels = conv.groups * conv.out_channels;
  const int64_t input_size = conv.window.input_size();
  const int64_t output_size = conv.window.output_size();
  const int64_t taps = conv.in_channels * conv.window.kernel_size();
  const auto run = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t n = i / channels;
      const int64_t m = i % channels;
      const int64_t group = m / conv.out_channels;
      const T* x = tensors.x + (n * conv.groups + group) * conv.in_channels * input_size;
      convolve_channel(conv, tensors.activation, x, tensors.w + m * taps,
                       tensors.bias != nullptr ? tensors.bias[m] : T(0),
                       tensors.y + i * output_size);
    }
  };
  const int64_t count = conv.batch * channels;
  const int64_t grain = std::max<int64_t>(1, 16384 / std::max<int64_t>(1, output_size * taps));
  if (threads == nullptr || count <= grain) return run(0, count);
  threads->parallel_for(count, grain, run);
}

}  // namespace

bool is_depthwise(const Convolution& conv) {
  return conv.groups > 1 && conv.out_channels <= 2 && conv.in_channels <= 2;
}

template <typename T>
std::vector<PackedMatrix<T>> pack_weights(const Convolution& shape, const T* w,
                                          ThreadPool* threads) {
  std::vector<PackedMatrix<T>> packed;
  const int64_t depth = shape.in_channels * shape.window.kernel_size();
  for (int64_t g = 0; g < shape.groups; ++g) {
    packed.push_back(PackedMatrix<T>::rows({w + g * shape.out_channels * depth, depth, 1},
                                           shape.out_channels, depth, threads));
  }
  return packed;
}

template <typename T>
void convolve(const Convolution& conv, const ConvolutionTensors<T>& tensors, ThreadPool* threads) {
  const int64_t output_size = conv.window.output_size();
  if (conv.batch * conv.groups * conv.out_channels * output_size == 0) return;
  if (is_depthwise(conv)) return convolve_depthwise(conv, tensors, threads);
  const int64_t depth = conv.in_channels * conv.window.kernel_size();
  const bool pointwise = conv.window.is_pointwise();
  Gemm<T> shape;
  shape.m = conv.out_channels;
  shape.n = output_size;
  shape.k = depth;
  shape.c_stride = output_size;
  shape.activation = tensors.activation;
  if (tensors.packed_w != nullptr) shape.packed_a = &tensors.packed_w->front();
  const int64_t products = conv.batch * conv.groups;
  const int pool = threads != nullptr ? threads->size() : 1;
  const int shares = products >= 4 * pool ? 1 : pool;
  const GemmTiles tiles = gemm_tiles(shape, shares);
  const auto run = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t product = i / tiles.count();
      const int64_t g = product % conv.groups;
      const T* x = tensors.x + product * conv.in_channels * conv.window.input_size();
      Gemm<T> gemm = shape;
      if (tensors.packed_w != nullptr) {
        gemm.packed_a = &(*tensors.packed_w)[g];
      } else {
        gemm.a = {tensors.w + g * conv.out_channels * depth, depth, 1};
      }
      if (tensors.bias != nullptr) {
        gemm.start = GemmStart::row_bias;
        gemm.bias = tensors.bias + g * conv.out_channels;
      }
      gemm.c = tensors.y + product * conv.out_channels * output_size;
      if (pointwise) {
        gemm.b = {x, output_size, 1};
        gemm_tile(gemm, tiles, i % tiles.count());
      } else {
        const Gather<T> gather(conv.window, x);
        const PackPanel<T> pack = gather;
        gemm.pack_b = &pack;
        gemm_tile(gemm, tiles, i % tiles.count());
      }
    }
  };
  const int64_t count = products * tiles.count();
  if (threads == nullptr || count == 1) return run(0, count);
  threads->parallel_for(count, 1, run);
}

template std::vector<PackedMatrix<float>> pack_weights(const Convolution&, const float*,
                                                       ThreadPool*);
template std::vector<PackedMatrix<double>> pack_weights(const Convolution&, const double*,
                                                        ThreadPool*);
template void convolve(const Convolution&, const ConvolutionTensors<float>&, ThreadPool*);
template void convolve(const Convolution&, const ConvolutionTensors<double>&, ThreadPool*);

}  // namespace ferry::cpu
