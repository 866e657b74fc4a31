#include "kernels/cpu/engine/gemm.h"

#include <algorithm>
#include <cstring>

#include "kernels/cpu/engine/gemm_micro.h"
#include "kernels/cpu/engine/gemm_narrow.h"

namespace ferry::cpu {
namespace {

// Rows of one tile: its packed A, 96 * 256 floats, stays in a core's L2 cache while panels of B
// pass through L1.
inline constexpr int64_t kTilePanels = 8;
// Multiplications below which one thread is faster than several.
inline constexpr int64_t kSerialWork = 128 * 1024;
// Elements from which packing is shared by threads.
inline constexpr int64_t kSerialPacking = 64 * 1024;
// Columns of one tile of a narrow product: pieces of rows of B long enough for the memory to stream
// them, short enough for C to stay in L1.
inline constexpr int64_t kNarrowColumns = 1024;

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Weights of a file may lie at any address.
template <typename T>
T load(const T* from) {
  T value;
  std::memcpy(&value, static_cast<const void*>(from), sizeof value);
  return value;
}

template <typename T>
void pack_rows(MatrixView<T> a, int64_t row, int64_t rows, int64_t k_begin, int64_t depth, T* panel,
               int64_t width) {
  for (int64_t r = 0; r < width; ++r) {
    if (r < rows) {
      const T* from = a.data + (row + r) * a.row_stride + k_begin * a.column_stride;
      for (int64_t k = 0; k < depth; ++k) panel[k * width + r] = load(from + k * a.column_stride);
    } else {
      for (int64_t k = 0; k < depth; ++k) panel[k * width + r] = T(0);
    }
  }
}

template <typename T>
void pack_columns(MatrixView<T> b, int64_t k_begin, int64_t depth, int64_t column, int64_t columns,
                  T* panel, int64_t width) {
  const T* from = b.data + k_begin * b.row_stride + column * b.column_stride;
  if (b.column_stride == 1) {
    for (int64_t k = 0; k < depth; ++k) {
      std::memcpy(panel + k * width, static_cast<const void*>(from + k * b.row_stride),
                  static_cast<size_t>(columns) * sizeof(T));
      std::fill_n(panel + k * width + columns, width - columns, T(0));
    }
    return;
  }
  for (int64_t j = 0; j < width; ++j) {
    if (j < columns) {
      const T* source = from + j * b.column_stride;
      for (int64_t k = 0; k < depth; ++k) panel[k * width + j] = load(source + k * b.row_stride);
    } else {
      for (int64_t k = 0; k < depth; ++k) panel[k * width + j] = T(0);
    }
  }
}

template <typename T>
void start_rows(const Gemm<T>& gemm, int64_t row, int64_t rows, int64_t column, int64_t columns) {
  for (int64_t i = row; i < row + rows; ++i) {
    T* out = gemm.c + i * gemm.c_stride + column;
    switch (gemm.start) {
      case GemmStart::accumulate:
        return;
      case GemmStart::zero:
        std::fill_n(out, columns, T(0));
        break;
      case GemmStart::row_bias:
        std::fill_n(out, columns, gemm.bias[i]);
        break;
      case GemmStart::column_bias:
        std::copy_n(gemm.bias + column, columns, out);
        break;
    }
  }
}

template <typename T>
void activate_rows(const Gemm<T>& gemm, int64_t row, int64_t rows, int64_t column,
                   int64_t columns) {
  if (!gemm.activation) return;
  for (int64_t i = row; i < row + rows; ++i) {
    gemm.activation(gemm.c + i * gemm.c_stride + column, columns);
  }
}

// Calls body(begin, end) for panels of `panel_size` elements, on the threads where that pays.
template <typename F>
void share(ThreadPool* threads, int64_t panels, int64_t panel_size, F&& body) {
  if (threads == nullptr || panels * panel_size < kSerialPacking) return body(0, panels);
  threads->parallel_for(panels, ceil_div(panels, int64_t{2} * threads->size()), body);
}

template <typename T>
bool reads_b_in_place(const Gemm<T>& gemm) {
  return is_narrow(gemm.m) && gemm.packed_a == nullptr && gemm.packed_b == nullptr &&
         gemm.pack_b == nullptr && (gemm.b.column_stride == 1 || gemm.b.row_stride == 1);
}

// Columns [column, column + columns) of a product of few rows.
template <typename T>
void narrow_tile(const Gemm<T>& gemm, int64_t column, int64_t columns) {
  alignas(64) T a[kNarrowRows * kNarrowDepth];
  const GemmNarrow<T>& narrow = gemm_narrow<T>();
  const bool in_rows = gemm.b.column_stride == 1;
  for (int64_t k = 0; k < gemm.k; k += kNarrowDepth) {
    const int64_t depth = std::min(kNarrowDepth, gemm.k - k);
    for (int64_t i = 0; i < gemm.m; ++i) {
      const T* from = gemm.a.data + i * gemm.a.row_stride + k * gemm.a.column_stride;
      T* to = a + i * kNarrowDepth;
      for (int64_t p = 0; p < depth; ++p) to[p] = gemm.alpha * from[p * gemm.a.column_stride];
    }
    const T* b = gemm.b.data + k * gemm.b.row_stride + column * gemm.b.column_stride;
    (in_rows ? narrow.rows_of_b : narrow.columns_of_b)(
        gemm.m, columns, depth, a, b, in_rows ? gemm.b.row_stride : gemm.b.column_stride,
        gemm.c + column, gemm.c_stride);
  }
}

}  // namespace

template <typename T>
int64_t panel_rows() {
  return gemm_micro<T>().panel_rows;
}
template <typename T>
int64_t panel_columns() {
  return gemm_micro<T>().panel_columns;
}
template int64_t panel_rows<float>();
template int64_t panel_rows<double>();
template int64_t panel_columns<float>();
template int64_t panel_columns<double>();

template <typename T>
PackedMatrix<T>::PackedMatrix(int64_t panels, int64_t panel_size)
    : storage_(allocate_host(static_cast<size_t>(panels * panel_size) * sizeof(T))),
      panel_size_(panel_size) {}

template <typename T>
PackedMatrix<T> PackedMatrix<T>::rows(MatrixView<T> a, int64_t m, int64_t k, ThreadPool* threads) {
  const int64_t width = panel_rows<T>();
  PackedMatrix packed(ceil_div(m, width), k * width);
  share(threads, ceil_div(m, width), k * width, [&](int64_t begin, int64_t end) {
    for (int64_t panel = begin; panel < end; ++panel) {
      pack_rows(a, panel * width, std::min(width, m - panel * width), 0, k,
                const_cast<T*>(packed.panel(panel)), width);
    }
  });
  return packed;
}

template <typename T>
PackedMatrix<T> PackedMatrix<T>::columns(MatrixView<T> b, int64_t k, int64_t n,
                                         ThreadPool* threads) {
  const int64_t width = panel_columns<T>();
  PackedMatrix packed(ceil_div(n, width), k * width);
  // A block of rows at a time, so that the pages of B stay in the TLB while all panels take theirs.
  constexpr int64_t kBlock = 64;
  share(threads, ceil_div(n, width), k * width, [&](int64_t begin, int64_t end) {
    for (int64_t first = 0; first < k; first += kBlock) {
      const int64_t depth = std::min(kBlock, k - first);
      for (int64_t panel = begin; panel < end; ++panel) {
        pack_columns(b, first, depth, panel * width, std::min(width, n - panel * width),
                     const_cast<T*>(packed.panel(panel)) + first * width, width);
      }
    }
  });
  return packed;
}

bool is_narrow(int64_t m) { return m <= kNarrowRows; }

template <typename T>
GemmTiles gemm_tiles(const Gemm<T>& gemm, int threads) {
  const int64_t rows = panel_rows<T>();
  const int64_t columns = panel_columns<T>();
  GemmTiles tiles;
  // Packed rows cost nothing to visit again, so such a tile takes them all.
  const int64_t tile_panels = gemm.packed_a != nullptr ? ceil_div(gemm.m, rows) : kTilePanels;
  tiles.rows = std::max<int64_t>(rows, tile_panels * rows);
  tiles.row_tiles = ceil_div(gemm.m, tiles.rows);
  const int64_t column_panels = ceil_div(gemm.n, columns);
  const bool serial = threads <= 1 || gemm.m * gemm.n * gemm.k <= kSerialWork;
  const int64_t wanted =
      serial ? 1 : ceil_div(int64_t{4} * threads, std::max<int64_t>(1, tiles.row_tiles));
  const int64_t parts = std::clamp<int64_t>(wanted, 1, std::max<int64_t>(1, column_panels));
  tiles.columns = std::max<int64_t>(1, ceil_div(column_panels, parts)) * columns;
  if (reads_b_in_place(gemm)) {
    const int64_t share = serial ? gemm.n : ceil_div(gemm.n, threads);
    tiles.columns =
        std::min(ceil_div(std::max<int64_t>(1, share), columns) * columns, kNarrowColumns);
  }
  tiles.column_tiles = ceil_div(gemm.n, tiles.columns);
  return tiles;
}

template <typename T>
void gemm_tile(const Gemm<T>& gemm, const GemmTiles& tiles, int64_t index) {
  const GemmMicro<T>& micro = gemm_micro<T>();
  const int64_t panel_rows = micro.panel_rows;
  const int64_t width = micro.panel_columns;
  // Tiles of the same rows follow one another.
  const int64_t row = index / tiles.column_tiles * tiles.rows;
  const int64_t column = index % tiles.column_tiles * tiles.columns;
  const int64_t rows = std::min(tiles.rows, gemm.m - row);
  const int64_t columns = std::min(tiles.columns, gemm.n - column);
  start_rows(gemm, row, rows, column, columns);
  if (reads_b_in_place(gemm)) {
    narrow_tile(gemm, column, columns);
    return activate_rows(gemm, row, rows, column, columns);
  }
  alignas(64) T packed_a[kTilePanels * kMaxPanelRows * kMaxPanelDepth];
  alignas(64) T packed_b[kMaxPanelColumns * kMaxPanelDepth];
  const int64_t row_panels = ceil_div(rows, panel_rows);
  const bool b_in_rows =
      gemm.packed_b == nullptr && gemm.pack_b == nullptr && gemm.b.column_stride == 1;
  for (int64_t k = 0; k < gemm.k; k += kMaxPanelDepth) {
    const int64_t depth = std::min(kMaxPanelDepth, gemm.k - k);
    if (gemm.packed_a == nullptr) {
      for (int64_t p = 0; p < row_panels; ++p) {
        const int64_t first = row + p * panel_rows;
        pack_rows(gemm.a, first, std::min(panel_rows, gemm.m - first), k, depth,
                  packed_a + p * panel_rows * depth, panel_rows);
      }
    }
    for (int64_t j = column; j < column + columns; j += width) {
      const int64_t panel_width = std::min(width, gemm.n - j);
      const T* b = packed_b;
      const T* next_b = nullptr;
      int64_t b_stride = width;
      if (gemm.packed_b != nullptr) {
        b = gemm.packed_b->panel(j / width) + k * width;
        if (j + width < column + columns) next_b = gemm.packed_b->panel(j / width + 1) + k * width;
      } else if (b_in_rows && row_panels == 1 && panel_width == width) {
        b = gemm.b.data + k * gemm.b.row_stride + j;
        b_stride = gemm.b.row_stride;
      } else if (gemm.pack_b != nullptr) {
        (*gemm.pack_b)(k, depth, j, panel_width, packed_b);
      } else {
        pack_columns(gemm.b, k, depth, j, panel_width, packed_b, width);
      }
      for (int64_t p = 0; p < row_panels; ++p) {
        const int64_t first = row + p * panel_rows;
        const int64_t count = std::min(panel_rows, row + rows - first);
        const T* a = gemm.packed_a != nullptr
                         ? gemm.packed_a->panel(first / panel_rows) + k * panel_rows
                         : packed_a + p * panel_rows * depth;
        micro.by_rows[count](depth, a, b, b_stride, p == 0 ? next_b : nullptr, gemm.alpha,
                             gemm.c + first * gemm.c_stride + j, gemm.c_stride, panel_width);
      }
    }
  }
  activate_rows(gemm, row, rows, column, columns);
}

template <typename T>
void gemm(const Gemm<T>& problem, ThreadPool* threads) {
  if (problem.m == 0 || problem.n == 0) return;
  const GemmTiles tiles = gemm_tiles(problem, threads != nullptr ? threads->size() : 1);
  if (tiles.count() == 1) return gemm_tile(problem, tiles, 0);
  const auto run = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) gemm_tile(problem, tiles, i);
  };
  if (threads == nullptr) return run(0, tiles.count());
  threads->parallel_for(tiles.count(), 1, run);
}

template class PackedMatrix<float>;
template class PackedMatrix<double>;
template GemmTiles gemm_tiles(const Gemm<float>&, int);
template GemmTiles gemm_tiles(const Gemm<double>&, int);
template void gemm_tile(const Gemm<float>&, const GemmTiles&, int64_t);
template void gemm_tile(const Gemm<double>&, const GemmTiles&, int64_t);
template void gemm(const Gemm<float>&, ThreadPool*);
template void gemm(const Gemm<double>&, ThreadPool*);

}  // namespace ferry::cpu
