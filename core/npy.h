#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ferry/tensor.h"

// NumPy's .npy (format versions 1 to 3) and .npz. bfloat16 is written as numpy's two-byte void
// ("V2"), as ml_dtypes does, and V2 is read as bfloat16. Other types that numpy does not have
// are refused.
namespace ferry {

// `what` names the source in messages. Throws Error invalid_argument for malformed bytes; sizes are
// checked before anything is allocated.
Tensor read_npy(std::string_view bytes, const std::string& what);
std::string write_npy(const Tensor& tensor);

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

// All arrays of an archive, in the archive's order, names without ".npy".
NamedTensors load_npz(const std::string& path);
// The same from bytes in memory, which must stay while the call lasts; `what` names them.
NamedTensors read_npz(std::string_view bytes, const std::string& what);
// One array; not_found with the nearest name otherwise.
Tensor load_npz_member(const std::string& path, const std::string& key);
void save_npz(const std::string& path, const NamedTensors& tensors);

}  // namespace ferry
