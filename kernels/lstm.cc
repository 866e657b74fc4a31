#include "kernels/lstm.h"

namespace ferry {

LstmForm::LstmForm(const NodeFacts& node) {
  const Attributes& attributes = *node.attributes;
  const Shape& x = node.input(0).shape;
  const std::string& direction = attributes.get_string("direction");
  batch_first = attributes.get_int("layout") != 0;
  sequence = x[batch_first ? 1 : 0];
  batch = x[batch_first ? 0 : 1];
  input = x[2];
  hidden = node.input(2).shape[2];
  directions = direction == "bidirectional" ? 2 : 1;
  reverse_only = direction == "reverse";
  input_forget = attributes.get_int("input_forget") != 0;
  clip = attributes.get_float("clip");
  for (int i = 0; i < 8; ++i) has[i] = node.has_input(i);
  y = node.has_output(0);
  y_h = node.has_output(1);
  y_c = node.has_output(2);
}

}  // namespace ferry
