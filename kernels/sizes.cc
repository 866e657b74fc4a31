#include "kernels/sizes.h"

#include <algorithm>
#include <limits>

#include "core/checked.h"
#include "ferry/error.h"
#include "kernels/axis.h"

namespace ferry {
namespace {

constexpr int64_t kAny = -1;
constexpr int64_t kAnyRank = std::numeric_limits<int64_t>::max();

std::string text(const Shape& shape) { return to_string(std::span<const int64_t>(shape)); }

bool broadcasts(const Shape& shape, const Shape& output) {
  if (shape.size() > output.size()) return false;
  const size_t missing = output.size() - shape.size();
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] != 1 && shape[i] != output[missing + i]) return false;
  }
  return true;
}

// A node's sizes, and what an operator may demand of them. An absent input meets every demand.
class Sizes {
 public:
  explicit Sizes(const NodeFacts& node) : node_(node) {}

  bool has(int input) const { return node_.has_input(input); }
  const Shape& of(int input) const { return node_.input(input).shape; }
  int64_t rank(int input) const { return node_.input(input).rank(); }
  int64_t count(int input) const { return numel_of(of(input)); }
  const NodeFacts& node() const { return node_; }
  const Attributes& attributes() const { return *node_.attributes; }
  int64_t axis(int64_t given, int64_t rank) const {
    if (given >= -rank && given < rank) return axis_of(given, rank);
    throw Error(ErrorCode::runtime, "the axis is " + std::to_string(given) + ", expected one of " +
                                        std::to_string(rank) + " axes");
  }

  [[noreturn]] void fail(int input, std::string_view name, const std::string& wanted) const {
    throw Error(ErrorCode::runtime, "input " + std::to_string(input) + " (" + std::string(name) +
                                        ") has the shape " + text(of(input)) + ", expected " +
                                        wanted);
  }
  void expect(int input, std::string_view name, const Shape& wanted) const {
    if (!has(input)) return;
    const Shape& given = of(input);
    const bool fits = std::equal(given.begin(), given.end(), wanted.begin(), wanted.end(),
                                 [](int64_t a, int64_t b) { return b == kAny || a == b; });
    if (!fits) fail(input, name, text(wanted));
  }
  void expect_rank(int input, std::string_view name, int64_t least, int64_t most = kAnyRank) const {
    if (!has(input) || (rank(input) >= least && rank(input) <= most)) return;
    std::string wanted = std::to_string(least);
    if (most == kAnyRank)
      wanted = "at least " + wanted;
    else if (most != least)
      wanted += " to " + std::to_string(most);
    fail(input, name, wanted + " axes");
  }
  void expect_count(int input, std::string_view name, std::initializer_list<int64_t> wanted) const {
    if (!has(input)) return;
    std::string words;
    for (const int64_t count_wanted : wanted) {
      if (count(input) == count_wanted) return;
      words += (words.empty() ? "" : " or ") + std::to_string(count_wanted);
    }
    fail(input, name, words + " elements");
  }
  void expect_broadcast(int input, std::string_view name, const Shape& output) const {
    if (!has(input) || broadcasts(of(input), output)) return;
    fail(input, name, "a shape that broadcasts to " + text(output));
  }

 private:
  const NodeFacts& node_;
};

void expect_divides(int64_t parts, int64_t whole, const char* parts_name, const char* whole_name) {
  if (parts >= 1 && whole % parts == 0) return;
  throw Error(ErrorCode::runtime, std::to_string(parts) + " " + parts_name + " do not divide " +
                                      std::to_string(whole) + " " + whole_name);
}

// `a * b` of sizes; Error where it does not fit.
int64_t times(int64_t a, int64_t b) { return numel_of(Shape{a, b}); }

// ---- math ---------------------------------------------------------------------------------------

// Inputs a and b of a matrix product: [..., M, K] and [..., K, N], where a row or a column alone is
// a matrix too.
void check_product(const Sizes& sizes, int a, int b) {
  sizes.expect_rank(a, "A", 1);
  sizes.expect_rank(b, "B", 1);
  const Shape& x = sizes.of(a);
  const Shape& y = sizes.of(b);
  const int64_t depth = y.size() == 1 ? y[0] : y[y.size() - 2];
  if (x.back() != depth) {
    sizes.fail(b, "B", std::to_string(x.back()) + " rows, the columns of " + text(x));
  }
  for (size_t i = 3; i <= std::min(x.size(), y.size()); ++i) {
    const int64_t p = x[x.size() - i], q = y[y.size() - i];
    if (p != q && p != 1 && q != 1) {
      sizes.fail(b, "B", "a stack that broadcasts with that of " + text(x));
    }
  }
}

void matmul(const Sizes& sizes) {
  check_product(sizes, 0, 1);
  sizes.expect(2, "bias", {sizes.of(1).back()});
}

void gemm(const Sizes& sizes) {
  sizes.expect_rank(0, "A", 2, 2);
  sizes.expect_rank(1, "B", 2, 2);
  const bool trans_a = sizes.attributes().get_int("transA") != 0;
  const bool trans_b = sizes.attributes().get_int("transB") != 0;
  const int64_t m = sizes.of(0)[trans_a ? 1 : 0], k = sizes.of(0)[trans_a ? 0 : 1];
  const int64_t n = sizes.of(1)[trans_b ? 0 : 1];
  sizes.expect(1, "B", trans_b ? Shape{n, k} : Shape{k, n});
  sizes.expect_broadcast(2, "C", {m, n});
}

void loss(const Sizes& sizes) {
  sizes.expect_rank(0, "scores", 2);
  Shape targets = sizes.of(0);
  const int64_t classes = targets[1];
  targets.erase(targets.begin() + 1);
  sizes.expect(1, "target", targets);
  sizes.expect(2, "weight", {classes});
}

// ---- nn -----------------------------------------------------------------------------------------

void batch_norm(const Sizes& sizes) {
  sizes.expect_rank(0, "X", 1);
  const int64_t channels = sizes.rank(0) > 1 ? sizes.of(0)[1] : 1;
  constexpr std::string_view kNames[] = {"scale", "bias", "mean", "variance"};
  for (int i = 0; i < 4; ++i) sizes.expect(i + 1, kNames[i], {channels});
}

void channel_norm(const Sizes& sizes) {
  sizes.expect_rank(0, "X", 2);
  sizes.expect(1, "scale", {sizes.of(0)[1]});
  sizes.expect(2, "bias", {sizes.of(0)[1]});
}

void group_norm(const Sizes& sizes) {
  channel_norm(sizes);
  expect_divides(sizes.attributes().get_int("num_groups"), sizes.of(0)[1], "groups", "channels");
}

void lrn(const Sizes& sizes) {
  sizes.expect_rank(0, "X", 2);
  const int64_t size = sizes.attributes().get_int("size");
  if (size >= 1) return;
  throw Error(ErrorCode::runtime,
              "the attribute 'size' is " + std::to_string(size) + ", expected at least 1");
}

void row_norm(const Sizes& sizes) {
  sizes.expect_broadcast(1, "scale", sizes.of(0));
  sizes.expect_broadcast(2, "bias", sizes.of(0));
}

void check_window(const Sizes& sizes, int x, int w) {
  sizes.expect_rank(x, "X", 3);
  sizes.expect_rank(w, "W", sizes.rank(x), sizes.rank(x));
}

// X [N, C, ...] and W [M, C / group, ...] of a convolution.
void check_conv(const Sizes& sizes, int x, int w) {
  check_window(sizes, x, w);
  const int64_t group = sizes.attributes().get_int("group");
  expect_divides(group, sizes.of(w)[0], "groups", "output channels");
  if (sizes.of(x)[1] != times(sizes.of(w)[1], group)) {
    sizes.fail(x, "X",
               std::to_string(times(sizes.of(w)[1], group)) + " channels for the weight " +
                   text(sizes.of(w)));
  }
}

void conv(const Sizes& sizes) {
  check_conv(sizes, 0, 1);
  sizes.expect(2, "bias", {sizes.of(1)[0]});
}

void conv_transpose(const Sizes& sizes) {
  check_window(sizes, 0, 1);
  const int64_t group = sizes.attributes().get_int("group");
  expect_divides(group, sizes.of(1)[0], "groups", "input channels");
  if (sizes.of(0)[1] != sizes.of(1)[0]) {
    sizes.fail(0, "X",
               std::to_string(sizes.of(1)[0]) + " channels for the weight " + text(sizes.of(1)));
  }
  sizes.expect(2, "bias", {times(sizes.of(1)[1], group)});
}

void pool(const Sizes& sizes) { sizes.expect_rank(0, "X", 3); }

// [batch, heads, steps, size] of an input that may have its heads side by side.
Shape heads_of(const Sizes& sizes, int input, std::string_view name, const char* attribute) {
  sizes.expect_rank(input, name, 3, 4);
  const Shape& shape = sizes.of(input);
  if (shape.size() == 4) return shape;
  const int64_t* heads = sizes.attributes().find<int64_t>(attribute);
  expect_divides(heads != nullptr ? *heads : 0, shape[2], "heads", "columns");
  return {shape[0], *heads, shape[1], shape[2] / *heads};
}

void attention(const Sizes& sizes) {
  const Shape q = heads_of(sizes, 0, "Q", "q_num_heads");
  const Shape k = heads_of(sizes, 1, "K", "kv_num_heads");
  const Shape v = heads_of(sizes, 2, "V", "kv_num_heads");
  expect_divides(k[1], q[1], "heads of K", "heads of Q");
  if (k[0] != q[0] || k[3] != q[3]) {
    sizes.fail(1, "K",
               "the batch and the head size of Q, which are " + std::to_string(q[0]) + " and " +
                   std::to_string(q[3]));
  }
  if (v[0] != k[0] || v[1] != k[1] || v[2] != k[2]) {
    sizes.fail(2, "V", "the batch, heads and steps of K, which are " + text({k[0], k[1], k[2]}));
  }
  if (sizes.has(4) != sizes.has(5)) {
    throw Error(ErrorCode::runtime, "past_key and past_value must be given together");
  }
  sizes.expect(4, "past_key", {k[0], k[1], kAny, k[3]});
  if (sizes.has(4)) sizes.expect(5, "past_value", {v[0], v[1], sizes.of(4)[2], v[3]});
  const int64_t total = add_sizes(sizes.has(4) ? sizes.of(4)[2] : 0, k[2]);
  if (sizes.has(3)) {
    sizes.expect_rank(3, "attn_mask", 1, 4);
    // A mask of fewer keys masks the others.
    const int64_t keys = sizes.of(3).back();
    if (keys > total) sizes.fail(3, "attn_mask", "at most " + std::to_string(total) + " keys");
    sizes.expect_broadcast(3, "attn_mask", {q[0], q[1], q[2], keys});
  }
  sizes.expect(6, "nonpad_kv_seqlen", {q[0]});
}

void rotary_embedding(const Sizes& sizes) {
  const Shape x = heads_of(sizes, 0, "X", "num_heads");
  const int64_t given = sizes.attributes().get_int("rotary_embedding_dim");
  const int64_t dim = given == 0 ? x[3] : given;
  if (dim < 0 || dim > x[3] || dim % 2 != 0) {
    throw Error(ErrorCode::runtime, "the attribute 'rotary_embedding_dim' is " +
                                        std::to_string(dim) + ", expected an even number of at " +
                                        "most " + std::to_string(x[3]));
  }
  const bool positions = sizes.has(3);
  const int64_t rows = positions && sizes.rank(1) == 2 ? sizes.of(1)[0] : kAny;
  const Shape cache = positions ? Shape{rows, dim / 2} : Shape{x[0], x[2], dim / 2};
  sizes.expect(1, "cos_cache", cache);
  sizes.expect(2, "sin_cache", cache);
  sizes.expect(3, "position_ids", {x[0], x[2]});
}

void lstm(const Sizes& sizes) {
  sizes.expect_rank(0, "X", 3, 3);
  sizes.expect_rank(2, "R", 3, 3);
  const bool batch_first = sizes.attributes().get_int("layout") != 0;
  const int64_t directions = sizes.attributes().get_string("direction") == "bidirectional" ? 2 : 1;
  const int64_t hidden = sizes.of(2)[2];
  const int64_t batch = sizes.of(0)[batch_first ? 0 : 1];
  const Shape state =
      batch_first ? Shape{batch, directions, hidden} : Shape{directions, batch, hidden};
  sizes.expect(1, "W", {directions, times(4, hidden), sizes.of(0)[2]});
  sizes.expect(2, "R", {directions, times(4, hidden), hidden});
  sizes.expect(3, "B", {directions, times(8, hidden)});
  sizes.expect(4, "sequence_lens", {batch});
  sizes.expect(5, "initial_h", state);
  sizes.expect(6, "initial_c", state);
  sizes.expect(7, "P", {directions, times(3, hidden)});
}

// ---- quantization -------------------------------------------------------------------------------

// One scale, one a position of the axis, or one a block of positions; as many zero points.
void quantize(const Sizes& sizes) {
  const Shape& x = sizes.of(0);
  const Shape& scale = sizes.of(1);
  if (sizes.count(1) != 1) {
    const int64_t axis = sizes.axis(sizes.attributes().get_int("axis"), sizes.rank(0));
    const int64_t block = sizes.attributes().get_int("block_size");
    if (block > 0 && scale.size() > 1) {
      Shape wanted = x;
      wanted[axis] = x[axis] / block + (x[axis] % block != 0);
      sizes.expect(1, "scale", wanted);
    } else {
      sizes.expect(1, "scale", {x[axis]});
    }
  }
  sizes.expect_count(2, "zero point", {sizes.count(1)});
}

// Zero points or scales of the sides of a product: one, or one a row of A, one a column of B.
void check_matrix_numbers(const Sizes& sizes, int a, int b, int zero_a, int zero_b, int scale_a,
                          int scale_b) {
  check_product(sizes, a, b);
  const Shape& x = sizes.of(a);
  const Shape& y = sizes.of(b);
  const int64_t rows = x.size() > 1 ? x[x.size() - 2] : 1;
  const int64_t columns = y.size() > 1 ? y.back() : 1;
  const int64_t all_rows = numel_of(std::span(x).first(x.size() - 1));
  const int64_t stacks = y.size() > 2 ? numel_of(std::span(y).first(y.size() - 2)) : 1;
  sizes.expect_count(zero_a, "zero point of A", {1, rows, all_rows});
  sizes.expect_count(zero_b, "zero point of B", {1, columns, times(stacks, columns)});
  sizes.expect_count(scale_a, "scale of A", {1, rows, all_rows});
  sizes.expect_count(scale_b, "scale of B", {1, columns, times(stacks, columns)});
}

void matmul_integer(const Sizes& sizes) { check_matrix_numbers(sizes, 0, 1, 2, 3, -1, -1); }

void linear_matmul(const Sizes& sizes) {
  check_matrix_numbers(sizes, 0, 3, 2, 5, 1, 4);
  sizes.expect_count(6, "scale of Y", {1});
  sizes.expect_count(7, "zero point of Y", {1});
}

void conv_integer(const Sizes& sizes) {
  check_conv(sizes, 0, 1);
  sizes.expect_count(2, "zero point of X", {1});
  sizes.expect_count(3, "zero point of W", {1, sizes.of(1)[0]});
}

void linear_conv(const Sizes& sizes) {
  check_conv(sizes, 0, 3);
  const int64_t channels = sizes.of(3)[0];
  sizes.expect_count(1, "scale of X", {1});
  sizes.expect_count(2, "zero point of X", {1});
  sizes.expect_count(4, "scale of W", {1, channels});
  sizes.expect_count(5, "zero point of W", {1, channels});
  sizes.expect_count(6, "scale of Y", {1});
  sizes.expect_count(7, "zero point of Y", {1});
  sizes.expect(8, "bias", {channels});
}

// ---- tensor -------------------------------------------------------------------------------------

// Indices that stand for positions of input 0 but for one axis.
void check_element_indices(const Sizes& sizes) {
  const Shape& data = sizes.of(0);
  sizes.expect_rank(0, "data", 1);
  sizes.expect_rank(1, "indices", sizes.rank(0), sizes.rank(0));
  const int64_t axis = sizes.axis(sizes.attributes().get_int("axis"), sizes.rank(0));
  for (size_t i = 0; i < data.size(); ++i) {
    if (static_cast<int64_t>(i) != axis && sizes.of(1)[i] > data[i]) {
      sizes.fail(1, "indices",
                 "at most the sizes of " + text(data) + " beside axis " + std::to_string(axis));
    }
  }
}

void scatter_elements(const Sizes& sizes) {
  check_element_indices(sizes);
  sizes.expect(2, "updates", sizes.of(1));
}

// The sizes that a tuple of indices leaves of input 0.
Shape check_tuples(const Sizes& sizes, int64_t batch) {
  sizes.expect_rank(1, "indices", batch + 1);
  const Shape& data = sizes.of(0);
  const Shape& indices = sizes.of(1);
  if (batch < 0 || batch >= sizes.rank(0) || indices.back() > sizes.rank(0) - batch) {
    sizes.fail(
        1, "indices",
        "tuples of at most " + std::to_string(sizes.rank(0) - batch) + " indices of " + text(data));
  }
  for (int64_t i = 0; i < batch; ++i) {
    if (indices[i] != data[i]) sizes.fail(1, "indices", "the first sizes of " + text(data));
  }
  return {data.begin() + batch + indices.back(), data.end()};
}

void gather_nd(const Sizes& sizes) {
  check_tuples(sizes, sizes.attributes().get_int("batch_dims"));
}

void scatter_nd(const Sizes& sizes) {
  sizes.expect_rank(0, "data", 1);
  const Shape slice = check_tuples(sizes, 0);
  Shape updates(sizes.of(1).begin(), sizes.of(1).end() - 1);
  updates.insert(updates.end(), slice.begin(), slice.end());
  sizes.expect(2, "updates", updates);
}

void grid_sample(const Sizes& sizes) {
  sizes.expect_rank(0, "X", 3);
  Shape grid(sizes.of(0).size(), kAny);
  grid.front() = sizes.of(0)[0];
  grid.back() = sizes.rank(0) - 2;
  sizes.expect(1, "grid", grid);
}

void gather(const Sizes& sizes) { sizes.expect_rank(0, "data", 1); }

void one_hot(const Sizes& sizes) { sizes.expect(2, "values", {2}); }

void matrices(const Sizes& sizes) { sizes.expect_rank(0, "input", 2); }
void matrix(const Sizes& sizes) { sizes.expect_rank(0, "input", 2, 2); }

int64_t block_of(const Sizes& sizes) {
  sizes.expect_rank(0, "input", 4, 4);
  const int64_t block = sizes.attributes().get_int("blocksize");
  if (block >= 1) return block;
  throw Error(ErrorCode::runtime,
              "the attribute 'blocksize' is " + std::to_string(block) + ", expected at least 1");
}

void depth_to_space(const Sizes& sizes) {
  const int64_t block = block_of(sizes);
  expect_divides(times(block, block), sizes.of(0)[1], "channels of a block", "channels");
}

void space_to_depth(const Sizes& sizes) {
  const int64_t block = block_of(sizes);
  expect_divides(block, sizes.of(0)[2], "rows of a block", "rows");
  expect_divides(block, sizes.of(0)[3], "columns of a block", "columns");
}

void reverse_sequence(const Sizes& sizes) {
  sizes.expect_rank(0, "input", 2);
  const int64_t batch = sizes.attributes().get_int("batch_axis");
  const int64_t time = sizes.attributes().get_int("time_axis");
  if ((batch != 0 && batch != 1) || time != 1 - batch) {
    throw Error(ErrorCode::runtime, "the attributes 'batch_axis' and 'time_axis' are " +
                                        std::to_string(batch) + " and " + std::to_string(time) +
                                        ", expected 0 and 1 in some order");
  }
  sizes.expect(1, "sequence_lens", {sizes.of(0)[batch]});
}

// Another shape for the same elements.
void view(const Sizes& sizes) {
  const TensorFacts& output = sizes.node().output(0);
  if (output.concrete() && numel_of(output.shape) != sizes.count(0)) {
    sizes.fail(0, "data", "as many elements as " + text(output.shape));
  }
}

struct SizeRule {
  std::string_view op;
  void (*check)(const Sizes&);
};

constexpr SizeRule kRules[] = {
    {"Attention", attention},
    {"AveragePool", pool},
    {"BatchNormalization", batch_norm},
    {"Conv", conv},
    {"ConvInteger", conv_integer},
    {"ConvTranspose", conv_transpose},
    {"DepthToSpace", depth_to_space},
    {"DequantizeLinear", quantize},
    {"EyeLike", matrix},
    {"Flatten", view},
    {"Gather", gather},
    {"GatherElements", check_element_indices},
    {"GatherND", gather_nd},
    {"Gemm", gemm},
    {"GlobalAveragePool", pool},
    {"GlobalLpPool", pool},
    {"GlobalMaxPool", pool},
    {"GridSample", grid_sample},
    {"GroupNormalization", group_norm},
    {"Identity", view},
    {"InstanceNormalization", channel_norm},
    {"LRN", lrn},
    {"LSTM", lstm},
    {"LayerNormalization", row_norm},
    {"LpPool", pool},
    {"MatMul", matmul},
    {"MatMulInteger", matmul_integer},
    {"MaxPool", pool},
    {"NegativeLogLikelihoodLoss", loss},
    {"OneHot", one_hot},
    {"QLinearConv", linear_conv},
    {"QLinearMatMul", linear_matmul},
    {"QuantizeLinear", quantize},
    {"RMSNormalization", row_norm},
    {"Reshape", view},
    {"ReverseSequence", reverse_sequence},
    {"RotaryEmbedding", rotary_embedding},
    {"ScatterElements", scatter_elements},
    {"ScatterND", scatter_nd},
    {"SoftmaxCrossEntropyLoss", loss},
    {"SpaceToDepth", space_to_depth},
    {"Squeeze", view},
    {"Trilu", matrices},
    {"Unsqueeze", view},
};

}  // namespace

int64_t add_sizes(int64_t a, int64_t b) {
  if (const auto sum = checked_add(a, b)) return *sum;
  throw Error(ErrorCode::runtime, "the sizes " + std::to_string(a) + " and " + std::to_string(b) +
                                      " have a sum of 2^63 or more");
}

void expect_broadcast(const Shape& shape, const Shape& output) {
  if (broadcasts(shape, output)) return;
  throw Error(ErrorCode::runtime,
              "the shape " + text(shape) + " does not broadcast to " + text(output));
}

void check_sizes(const NodeFacts& node) {
  for (const SizeRule& rule : kRules) {
    if (rule.op == node.op) return rule.check(Sizes(node));
  }
}

}  // namespace ferry
