#pragma once

#include <initializer_list>
#include <limits>
#include <span>
#include <string>

#include "core/type_set.h"
#include "graph/infer.h"
#include "graph/ops/cost.h"
#include "graph/ops/op.h"

// What the rule files share: the families and the checks that most rules begin with.
// Every check lets facts pass that are not known yet, and fails with a sentence otherwise.
namespace ferry {

std::span<const OpRule> controlflow_rules();
std::span<const OpRule> generator_rules();
std::span<const OpRule> logical_rules();
std::span<const OpRule> math_rules();
std::span<const OpRule> math_loss_rules();
std::span<const OpRule> math_matrix_rules();
std::span<const OpRule> nn_rules();
std::span<const OpRule> nn_attention_rules();
std::span<const OpRule> nn_conv_rules();
std::span<const OpRule> nn_norm_rules();
std::span<const OpRule> quantization_rules();
std::span<const OpRule> reduction_rules();
std::span<const OpRule> rnn_rules();
std::span<const OpRule> tensor_rules();
std::span<const OpRule> tensor_index_rules();
std::span<const OpRule> tensor_layout_rules();
std::span<const OpRule> tensor_sample_rules();
std::span<const OpRule> tensor_scatter_rules();

inline constexpr TypeSet kFloat8Types{float8_e4m3fn, float8_e4m3fnuz, float8_e5m2, float8_e5m2fnuz};
// Every element type there is.
inline constexpr TypeSet kEveryType =
    kByteTypes | kString | TypeSet{uint4, int4, float4_e2m1, uint2, int2};

inline constexpr int kAnyCount = std::numeric_limits<int>::max();

// Fails unless the node has min_inputs..max_inputs inputs, the first min_inputs of them present,
// and 1..max_outputs outputs.
void expect_arity(const InferContext& context, int min_inputs, int max_inputs, int max_outputs = 1);
// Fails unless input i is a tensor with one of `types`.
void expect_dtype(const InferContext& context, int i, TypeSet types);
// Fails unless the inputs that are present have one dtype, one of `types`. Returns it, or undefined
// while none is known.
DType expect_same_dtype(const InferContext& context, std::initializer_list<int> inputs,
                        TypeSet types);
// The same for every input.
DType expect_one_dtype(const InferContext& context, TypeSet types);
// The activation that rewrites appended (graph/activation.h) must be one, and `dtype` floating
// then.
void expect_activation(const InferContext& context, DType dtype);
void expect_rank(const InferContext& context, int i, int64_t rank);
// Fails when input i is known to have fewer axes.
void expect_min_rank(const InferContext& context, int i, int64_t rank);
// Fails when both sizes are numbers and differ; `what` names what they are sizes of. Returns the
// one that is better known.
Dim expect_equal(const InferContext& context, const Dim& a, const Dim& b, std::string_view what);

// Fails unless input i, where it is there, has the sizes `wanted` as far as both are known; `what`
// says what they are, as in "B [directions, 8*hidden]".
void expect_shape(const InferContext& context, int i, const Dims& wanted, std::string_view what);
// Fails unless input i, where it is there, broadcasts to `target` without making it larger.
void expect_broadcast(const InferContext& context, int i, const Dims& target);
// Fails unless input i, where it is there, is a scalar or another tensor of one element.
void expect_one_element(const InferContext& context, int i);
// The attribute as an element type, which must be one of `types`.
DType dtype_attribute(const InferContext& context, std::string_view name, TypeSet types);
// The attribute, which must be minimum..2^31-1.
int64_t int_attribute(const InferContext& context, std::string_view name, int64_t minimum);

// "input 1"
std::string input_name(int i);

// The shape of numpy.matmul(a, b), which must have at least one axis each.
Dims matmul_shape(const InferContext& context, Dims a, Dims b);

// Output 0: `dtype` with the shape that all inputs broadcast to.
void broadcast_output(InferContext& context, DType dtype);

// Output 0's contents, elementwise from those of inputs 0 and 1: one has one element, or both have
// the same shape.
using DimFunction = Dim (*)(const Dim&, const Dim&);
void combine_contents(InferContext& context, DimFunction function);

// Arithmetic on contents: numbers wrap, as the elements of an int64 tensor do, where sizes must
// not.
Dim add_contents(const Dim& a, const Dim& b);
Dim subtract_contents(const Dim& a, const Dim& b);
Dim multiply_contents(const Dim& a, const Dim& b);

// 0 where one size is. An overflow is an Error invalid_model.
Dim product(std::span<const Dim> dims);
// `rank` sizes; a rank outside 0..kMaxRank is an Error invalid_model.
Dims unknown_dims(int64_t rank);

// The one element of integer input i as a size; unknown while it is not known. Another number of
// elements fails.
Dim scalar_size(const InferContext& context, int i);
// The same as a number; nullopt while it is not known.
std::optional<int64_t> constant_int(const InferContext& context, int i);

// One of at most `rank` distinct axes each, normalized; fails for a duplicate.
std::vector<int64_t> normalize_axes(const InferContext& context, std::span<const int64_t> axes,
                                    int64_t rank);

}  // namespace ferry
