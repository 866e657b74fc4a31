#include <unordered_map>

#include "importer/ops/registered.h"
#include "importer/ops/rows.h"
#include "importer/text.h"

namespace ferry {

std::span<const std::span<const OpRow>> op_rows() {
  static const std::span<const OpRow> families[] = {
      contrib_rows(),   controlflow_rows(), generator_rows(),
      image_rows(),     logical_rows(),     math_rows(),
      ml_rows(),        nn_rows(),          object_detection_rows(),
      optional_rows(),  preview_rows(),     quantization_rows(),
      reduction_rows(), rnn_rows(),         sequence_rows(),
      tensor_rows(),    text_rows(),        training_rows(),
  };
  return families;
}

int reviewed_through(std::string_view domain) {
  if (domain.empty()) return kOnnxReviewed;
  if (domain == "ai.onnx.ml") return kMlReviewed;
  const bool is_ours = domain.starts_with("ai.onnx.") || domain == "com.microsoft";
  return is_ours ? 1 : kForever;  // who registers an operator answers for its versions
}

const OpRow* find_row(std::string_view domain, std::string_view op) {
  static const auto index = [] {
    std::unordered_map<std::string, const OpRow*> rows;
    for (std::span<const OpRow> family : op_rows()) {
      for (const OpRow& row : family) rows.emplace(operator_name(row.domain, row.op), &row);
    }
    return rows;
  }();
  auto found = index.find(operator_name(domain, op));
  return found == index.end() ? registered_row(domain, op) : found->second;
}

}  // namespace ferry
