#include "graph/ops/op.h"

#include <unordered_map>

#include "graph/ops/cost.h"
#include "graph/ops/rules.h"
#include "graph/registered.h"

namespace ferry {

constinit const OpRule kUnknownOp{.flops = each<1>, .random = true};

std::span<const std::span<const OpRule>> op_rules() {
  static const std::span<const OpRule> families[] = {
      controlflow_rules(),   generator_rules(),      logical_rules(),      math_rules(),
      math_loss_rules(),     math_matrix_rules(),    nn_rules(),           nn_attention_rules(),
      nn_conv_rules(),       nn_norm_rules(),        quantization_rules(), reduction_rules(),
      rnn_rules(),           tensor_rules(),         tensor_index_rules(), tensor_layout_rules(),
      tensor_sample_rules(), tensor_scatter_rules(),
  };
  return families;
}

const OpRule* find_op(std::string_view op) {
  static const auto& by_name = *[] {
    auto* map = new std::unordered_map<std::string_view, const OpRule*>;
    for (const std::span<const OpRule> family : op_rules()) {
      for (const OpRule& rule : family) map->emplace(rule.op, &rule);
    }
    return map;
  }();
  if (const auto at = by_name.find(op); at != by_name.end()) return at->second;
  const RegisteredOperator* registered = find_registered(op);
  return registered == nullptr ? nullptr : &registered->rule;
}

}  // namespace ferry
