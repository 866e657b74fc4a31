#include "importer/node_reader.h"
#include "importer/ops/rows.h"

namespace ferry {
namespace {

constexpr AttrSpec kFlexAttention[] = {
    maybe("prob_mod", AttrType::graph),
    maybe("scale", AttrType::real),
    maybe("score_mod", AttrType::graph),
    maybe("softmax_precision", AttrType::integer),
};

// Either body may be missing: score_mod and prob_mod are ints in the IR, the body's place in
// Node::bodies, or -1.
void read_flex_attention(NodeReader& reader) {
  int64_t place = 0;
  for (const char* name : {"score_mod", "prob_mod"}) {
    reader.attributes().set(name, reader.was_given(name) ? place++ : int64_t{-1});
  }
}

constexpr OpRow kRows[] = {
    // ai.onnx.preview.FlexAttention(Q, K, V) -> Y
    {.op = "FlexAttention",
     .domain = "ai.onnx.preview",
     .since = {1},
     .inputs = 3,
     .attributes = kFlexAttention,
     .read = read_flex_attention},
};

}  // namespace

std::span<const OpRow> preview_rows() { return kRows; }

}  // namespace ferry
