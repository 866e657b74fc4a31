#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "ferry/model.h"

// The one rule for equal tensors: `ferry run --expect`, `ferry test`, `ferry compare`.
namespace ferry::cli {

// Floats a and b are the same where |a - b| <= atol + rtol * |b|; integers where |a - b| <= steps.
// The defaults are those of ONNX's backend tests.
struct Tolerance {
  double rtol = 1e-3;
  double atol = 1e-7;
  int steps = 0;
};

// What two tensors have in common. `b` is the one that is believed.
struct Comparison {
  std::string other_type;  // "is float32[2], expected float32[3]": nothing else was compared
  int64_t count = 0;       // elements
  int64_t wrong = 0;       // of which the rule does not hold
  int64_t nan_mismatches = 0, infinity_mismatches = 0;  // among them
  std::vector<int64_t> first;                           // index of the first of them
  std::string first_a, first_b;
  // Of numbers that are finite on both sides: largest |a - b| and |a - b| / |b|, mean |a - b|.
  double max_abs = 0, max_rel = 0, mean_abs = 0;
  double cosine = 1;  // of the angle between a and b as vectors; 1 where both are zero
  // The largest difference in multiples of what the rule allows: above 1 where the rule does not
  // hold, infinite for NaN, infinities and other types.
  double worst = 0;

  bool same() const { return other_type.empty() && wrong == 0; }
  // "" when they are the same, else one sentence that goes on behind the tensor's name.
  std::string difference() const;
};

// Same dtype and shape; floats and integers by `tolerance`; strings, bools and complex numbers
// equal; NaN is equal to NaN, infinities to those of their sign. Both on the CPU.
Comparison compare(const Tensor& a, const Tensor& b, const Tolerance& tolerance);

// What --preset, --rtol and --atol say for outputs by name.
class Tolerances {
 public:
  // `preset`: "onnx" (Tolerance's defaults for every type), "dtype" (by the precision of the type),
  // "int8" (as dtype, and integers of 8 bits may differ by one), "exact". Each of `rtol` and `atol`
  // is a number for all outputs or NAME=NUMBER for one. Throws Error invalid_argument.
  Tolerances(std::string_view preset, const std::vector<std::string>& rtol,
             const std::vector<std::string>& atol);

  // Throws Error not_found, with the nearest, for a name that is not among `names`.
  void check_names(const std::vector<std::string>& names) const;
  Tolerance of(const std::string& name, DType dtype) const;
  // What the data.json of a case gives instead of the preset.
  void set_preset(const Tolerance& tolerance);

 private:
  struct Numbers {
    std::string option;
    std::map<std::string, double> by_name;  // "" is for all
  };
  static Numbers read(std::string option, const std::vector<std::string>& texts);

  std::string preset_;
  Tolerance fixed_;  // of preset "onnx", or what set_preset() said
  Numbers rtol_, atol_;
};

// What the data.json of a folder in the layout of ONNX's backend tests says; without one, nothing
// of its own.
struct CaseData {
  bool has_tolerance = false;
  Tolerance tolerance;
  std::string url;  // of the model, for cases that do not hold it
};
// Throws Error invalid_argument where it is no JSON object, or its numbers are no tolerances.
CaseData read_case_data(const std::string& folder);

}  // namespace ferry::cli
