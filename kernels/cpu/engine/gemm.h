#pragma once

#include <cstdint>
#include <memory>

#include "core/function_ref.h"
#include "core/storage.h"
#include "core/thread_pool.h"
#include "kernels/cpu/engine/activation.h"

// Matrix products on the CPU, float and double: C = activation(start + alpha * A * B), where A is
// [m, k], B is [k, n] and C is row-major. Sums run over k in an order that neither tiles nor
// threads change, so the same input gives the same bits.
//
// B is taken in panels of panel_columns() columns and A in panels of panel_rows() rows. Either may
// be packed that way beforehand (constant weights); what is not is packed tile by tile on the
// stack. A product of few rows reads its B once, so packing it would cost more than it saves: see
// is_narrow().
namespace ferry::cpu {

// Element (i, j) is data[i * row_stride + j * column_stride].
template <typename T>
struct MatrixView {
  const T* data = nullptr;
  int64_t row_stride = 0, column_stride = 0;
};

// A matrix in the panel layout of gemm's inner loop: [panels][k][panel width], zero-padded.
template <typename T>
class PackedMatrix {
 public:
  // For A and for B. The elements may lie at any alignment; `threads` may be nullptr.
  static PackedMatrix rows(MatrixView<T> a, int64_t m, int64_t k, ThreadPool* threads);
  static PackedMatrix columns(MatrixView<T> b, int64_t k, int64_t n, ThreadPool* threads);

  const T* panel(int64_t index) const { return data() + index * panel_size_; }
  size_t bytes() const { return storage_->bytes(); }

 private:
  PackedMatrix(int64_t panels, int64_t panel_size);
  const T* data() const { return static_cast<const T*>(storage_->data()); }

  std::shared_ptr<Storage> storage_;
  int64_t panel_size_;
};

enum class GemmStart : uint8_t {
  zero,
  accumulate,   // what C holds
  row_bias,     // bias[i] in row i
  column_bias,  // bias[j] in column j
};

// Writes rows [k_begin, k_begin + depth) of B's columns [column, column + width) to
// `panel`[depth][panel_columns()], zeros beyond `width`.
template <typename T>
using PackPanel =
    FunctionRef<void(int64_t k_begin, int64_t depth, int64_t column, int64_t width, T* panel)>;

template <typename T>
struct Gemm {
  int64_t m = 0, n = 0, k = 0;
  T alpha = 1;
  MatrixView<T> a;
  const PackedMatrix<T>* packed_a = nullptr;  // instead of `a`
  MatrixView<T> b;
  const PackedMatrix<T>* packed_b = nullptr;  // instead of `b`
  const PackPanel<T>* pack_b = nullptr;       // instead of both: B is computed where it is needed
  T* c = nullptr;
  int64_t c_stride = 0;
  GemmStart start = GemmStart::zero;
  const T* bias = nullptr;
  ActivationFunction activation;  // of every element of C, once it is complete
};

// Whether a product of `m` rows and a plain B (rows or columns contiguous) is faster without
// packing B.
bool is_narrow(int64_t m);

// How the product of one shape is cut into independent tiles.
struct GemmTiles {
  int64_t rows = 0, columns = 0;  // of one tile
  int64_t row_tiles = 0, column_tiles = 0;
  int64_t count() const { return row_tiles * column_tiles; }
};
template <typename T>
GemmTiles gemm_tiles(const Gemm<T>& gemm, int threads);

// Computes tile `index` of C; tiles may run on different threads.
template <typename T>
void gemm_tile(const Gemm<T>& gemm, const GemmTiles& tiles, int64_t index);

// All of C, shared by the threads of the pool (nullptr: the caller alone).
template <typename T>
void gemm(const Gemm<T>& problem, ThreadPool* threads);

// Rows of A and columns of B that the inner loop of this machine takes at once.
template <typename T>
int64_t panel_rows();
template <typename T>
int64_t panel_columns();
// The deepest panel that PackPanel is asked for.
inline constexpr int64_t kMaxPanelDepth = 256;
inline constexpr int64_t kMaxPanelColumns = 32;
inline constexpr int64_t kMaxPanelRows = 12;

extern template class PackedMatrix<float>;
extern template class PackedMatrix<double>;
extern template void gemm<float>(const Gemm<float>&, ThreadPool*);
extern template void gemm<double>(const Gemm<double>&, ThreadPool*);

}  // namespace ferry::cpu
