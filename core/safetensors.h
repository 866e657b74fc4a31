#pragma once

#include <string>
#include <string_view>

#include "core/npy.h"

// Files in the safetensors format, as Hugging Face's libraries write them: 8 bytes with the length
// of a JSON header, little-endian; the header; the elements. Strings, complex128 and element types
// of two bits, and other 4-bit types than float4_e2m1, have no name in the format and are refused.
namespace ferry {

// All tensors of a file, in order of their place in it. Nothing of the header is trusted: its
// length, types, shapes and offsets must account for every byte of the file, once. Throws Error
// not_found, io, invalid_argument.
NamedTensors load_safetensors(const std::string& path);
// One tensor; reads the header and the bytes of that one. Error not_found, with the nearest name.
Tensor load_safetensors_member(const std::string& path, const std::string& key);
// Names must differ. The file appears whole or not at all.
void save_safetensors(const std::string& path, const NamedTensors& tensors);

}  // namespace ferry
