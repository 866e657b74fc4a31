#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ferry/model.h"

// Pictures as inputs: img:FILE,OPTION,OPTION...
//
//   size=N, size=HxW    resized: the shorter side to N where `crop` follows, else to N x N
//   crop, crop=N        the middle N x N is kept; N is that of size unless given
//   rgb bgr gray        channels in this order; else gray for 1 channel of the model, rgb for 3
//   nchw nhwc           layout; else where the model has 1 or 3 channels
//   scale=S             pixels are 0 to 255 times S; 1/255 for floating inputs, 1 for integers
//   mean=A,B,C std=...  then minus mean, divided by std; one number is for all channels
//
// Without size and crop the picture gets the model's height and width where it has numbers.
// Resizing is bilinear with antialiasing, as PIL and torchvision do it. Alpha is dropped; the
// orientation in EXIF data is not looked at.
namespace ferry::cli {

// 8-bit pixels, channels interleaved.
struct Image {
  int64_t height = 0, width = 0, channels = 0;
  std::vector<uint8_t> pixels;
};

// A PNG or JPEG file as three channels, red first. Throws Error invalid_argument for malformed
// files and more than 100 million pixels, unsupported for other formats and builds without
// decoders. `what` names it.
Image decode_image(std::string_view bytes, const std::string& what);

// Bilinear with antialiasing (a triangle filter as wide as the source pixels that one target pixel
// covers), rounded to 8 bits after each of the two passes.
Image resized(const Image& image, int64_t height, int64_t width);

// The tensor that `spec` (without "img:") means for an input. Throws Error not_found, io,
// invalid_argument, unsupported.
Tensor load_image(const std::string& spec, const TensorInfo& input);

}  // namespace ferry::cli
