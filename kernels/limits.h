#pragma once

#include <algorithm>
#include <string>

#include "ferry/error.h"
#include "kernels/kernel.h"

// Limits of kernels, for supports(): what prepare() would refuse for its size or rank, refused
// where placement can still choose another device.
namespace ferry {

// Yes where every one of the answers is, else the first that is no.
template <Support (*... kAnswers)(const NodeFacts&)>
Support all_of(const NodeFacts& node) {
  Support support;
  static_cast<void>(((support = kAnswers(node)).ok && ...));
  return support;
}

// No where prepare() would find too many axes: where make(), which it calls too, throws Error
// unsupported. Asked only when all sizes are known and a tensor has more than `limit` axes; what
// else make() throws is prepare()'s to say.
template <typename F>
Support within_axes(const NodeFacts& node, size_t limit, F&& make) {
  size_t rank = 0;
  for (const auto* ports : {&node.inputs, &node.outputs}) {
    for (const TensorFacts& facts : *ports) {
      if (!facts.present) continue;
      if (!facts.concrete()) return Support::yes();
      rank = std::max(rank, facts.shape.size());
    }
  }
  if (rank <= limit) return Support::yes();
  try {
    make();
  } catch (const Error& error) {
    if (error.code() == ErrorCode::unsupported) {
      return Support::no(ReasonCode::rank_or_layout, error.message());
    }
  }
  return Support::yes();
}

// No where the present tensors of the node, as far as their sizes are known, have more than `most`
// elements.
Support within_elements(const NodeFacts& node, int64_t most);

}  // namespace ferry
