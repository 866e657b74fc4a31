#include <string>
#include <vector>

#include "importer/node_reader.h"
#include "importer/ops/rows.h"
#include "importer/problems.h"

namespace ferry {
namespace {

constexpr AttrSpec kBernoulli[] = {
    maybe("dtype", AttrType::integer),
    maybe("seed", AttrType::real),
};
constexpr AttrSpec kConstant[] = {
    maybe("sparse_value", AttrType::tensor).since(11),
    maybe("value", AttrType::tensor).since(11),
    required("value", AttrType::tensor).until(10),
    maybe("value_float", AttrType::real).since(12),
    list("value_floats", AttrType::reals).since(12),
    maybe("value_int", AttrType::integer).since(12),
    ints("value_ints").since(12),
    maybe("value_string", AttrType::text).since(12),
    list("value_strings", AttrType::texts).since(12),
};
constexpr AttrSpec kConstantOfShape[] = {
    maybe("value", AttrType::tensor),
};
constexpr AttrSpec kEyeLike[] = {
    maybe("dtype", AttrType::integer),
    integer("k", 0),
};
constexpr AttrSpec kMultinomial[] = {
    dtype("dtype", 6),
    integer("sample_size", 1).at_least(1),
    maybe("seed", AttrType::real),
};
constexpr AttrSpec kRandomNormal[] = {
    dtype("dtype", 1),
    real("mean", 0.0f),
    real("scale", 1.0f),
    maybe("seed", AttrType::real),
    required("shape", AttrType::ints),
};
constexpr AttrSpec kRandomNormalLike[] = {
    maybe("dtype", AttrType::integer),
    real("mean", 0.0f),
    real("scale", 1.0f),
    maybe("seed", AttrType::real),
};
constexpr AttrSpec kRandomUniform[] = {
    dtype("dtype", 1),
    real("high", 1.0f),
    real("low", 0.0f),
    maybe("seed", AttrType::real),
    required("shape", AttrType::ints),
};
constexpr AttrSpec kRandomUniformLike[] = {
    maybe("dtype", AttrType::integer),
    real("high", 1.0f),
    real("low", 0.0f),
    maybe("seed", AttrType::real),
};
constexpr AttrSpec kRange[] = {
    dtype("stash_type", 1).since(27),
};

// Constant becomes a constant value; there is no such node in the IR.
void read_constant(NodeReader& reader) {
  constexpr std::string_view kForms[] = {"value",        "sparse_value", "value_float",
                                         "value_floats", "value_int",    "value_ints",
                                         "value_string", "value_strings"};
  std::string_view form;
  for (std::string_view name : kForms) {
    if (!reader.was_given(name)) continue;
    if (!form.empty()) fail(ProblemCode::attribute, "a constant has two values");
    form = name;
  }
  if (form.empty()) fail(ProblemCode::attribute, "a constant has no value");
  const Attributes& attributes = reader.attributes();
  if (form == "value" || form == "sparse_value") {
    reader.become_constant(attributes.get<Tensor>(form));
  } else if (form == "value_float") {
    reader.become_constant(Tensor::scalar(attributes.get_float(form)));
  } else if (form == "value_floats") {
    reader.become_constant(Tensor::from(attributes.get<std::vector<float>>(form)));
  } else if (form == "value_int") {
    reader.become_constant(Tensor::scalar(attributes.get_int(form)));
  } else if (form == "value_ints") {
    reader.become_constant(Tensor::from(attributes.get_ints(form)));
  } else if (form == "value_string") {
    reader.become_constant(Tensor::scalar(attributes.get_string(form)));
  } else {
    reader.become_constant(Tensor::from(attributes.get<std::vector<std::string>>(form)));
  }
}

// ConstantOfShape fills with float zeros unless it is told another value.
void read_constant_of_shape(NodeReader& reader) {
  if (!reader.was_given("value")) {
    reader.attributes().set("value", Tensor::zeros({1}));
  } else if (reader.attributes().get<Tensor>("value").numel() != 1) {
    fail(ProblemCode::attribute, "attribute 'value' must hold one element");
  }
}

constexpr OpRow kRows[] = {
    // Bernoulli(input) -> output
    {.op = "Bernoulli", .since = {15, 22}, .attributes = kBernoulli},
    // Constant() -> output
    {.op = "Constant",
     .since = {1, 9, 11, 12, 13, 19, 21, 23, 24, 25},
     .inputs = 0,
     .attributes = kConstant,
     .read = read_constant},
    // ConstantOfShape(input) -> output
    {.op = "ConstantOfShape",
     .since = {9, 20, 21, 23, 24, 25},
     .attributes = kConstantOfShape,
     .read = read_constant_of_shape},
    // EyeLike(input) -> output
    {.op = "EyeLike", .since = {9, 22}, .attributes = kEyeLike},
    // Multinomial(input) -> output
    {.op = "Multinomial", .since = {7, 22}, .attributes = kMultinomial},
    // RandomNormal() -> output
    {.op = "RandomNormal", .since = {1, 22}, .inputs = 0, .attributes = kRandomNormal},
    // RandomNormalLike(input) -> output
    {.op = "RandomNormalLike", .since = {1, 22}, .attributes = kRandomNormalLike},
    // RandomUniform() -> output
    {.op = "RandomUniform", .since = {1, 22}, .inputs = 0, .attributes = kRandomUniform},
    // RandomUniformLike(input) -> output
    {.op = "RandomUniformLike", .since = {1, 22}, .attributes = kRandomUniformLike},
    // Range(start, limit, delta) -> output
    {.op = "Range", .since = {11, 27}, .inputs = 3, .attributes = kRange},
};

}  // namespace

std::span<const OpRow> generator_rows() { return kRows; }

}  // namespace ferry
