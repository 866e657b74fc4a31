// PNG through libpng, JPEG through libjpeg-turbo.
#include <png.h>
#include <turbojpeg.h>

#include <algorithm>
#include <memory>

#include "cli/image.h"
#include "ferry/error.h"

namespace ferry::cli {
namespace {

constexpr int64_t kMostPixels = 100'000'000;

[[noreturn]] void malformed(const std::string& what, const std::string& reason) {
  throw Error(ErrorCode::invalid_argument, "'" + what + "' cannot be decoded: " + reason + ".");
}

Image blank(int64_t height, int64_t width, const std::string& what) {
  if (height < 1 || width < 1 || height > kMostPixels / width) {
    malformed(what, "it is " + std::to_string(width) + "x" + std::to_string(height) +
                        " pixels, and at most 100 million are read");
  }
  return {height, width, 3, std::vector<uint8_t>(static_cast<size_t>(height * width * 3))};
}

Image decode_png(std::string_view bytes, const std::string& what) {
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  const std::unique_ptr<png_image, void (*)(png_image*)> owner(&png, png_image_free);
  if (png_image_begin_read_from_memory(&png, bytes.data(), bytes.size()) == 0) {
    malformed(what, png.message);
  }
  Image image = blank(png.height, png.width, what);
  png.format = PNG_FORMAT_RGBA;  // alpha is dropped below, not blended
  std::vector<uint8_t> pixels(PNG_IMAGE_SIZE(png));
  if (png_image_finish_read(&png, nullptr, pixels.data(), 0, nullptr) == 0) {
    malformed(what, png.message);
  }
  for (size_t i = 0; i < pixels.size() / 4; ++i) {
    std::copy_n(pixels.begin() + static_cast<ptrdiff_t>(4 * i), 3,
                image.pixels.begin() + static_cast<ptrdiff_t>(3 * i));
  }
  return image;
}

Image decode_jpeg(std::string_view bytes, const std::string& what) {
  const std::unique_ptr<void, int (*)(tjhandle)> decoder(tjInitDecompress(), tjDestroy);
  if (decoder == nullptr) throw Error(ErrorCode::out_of_memory, "the JPEG decoder cannot start.");
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
  int width = 0, height = 0, sampling = 0, colors = 0;
  if (tjDecompressHeader3(decoder.get(), data, bytes.size(), &width, &height, &sampling, &colors) !=
      0) {
    malformed(what, tjGetErrorStr2(decoder.get()));
  }
  if (colors == TJCS_CMYK || colors == TJCS_YCCK) {
    throw Error(ErrorCode::unsupported, "'" + what + "' is a CMYK JPEG; convert it to RGB.");
  }
  Image image = blank(height, width, what);
  // TJFLAG_STOPONWARNING: a truncated file is an error, not a half-gray picture.
  if (tjDecompress2(decoder.get(), data, bytes.size(), image.pixels.data(), width, 0, height,
                    TJPF_RGB, TJFLAG_ACCURATEDCT | TJFLAG_STOPONWARNING) != 0) {
    malformed(what, tjGetErrorStr2(decoder.get()));
  }
  return image;
}

}  // namespace

Image decode_image(std::string_view bytes, const std::string& what) {
  if (bytes.starts_with("\x89PNG\r\n\x1a\n")) return decode_png(bytes, what);
  if (bytes.starts_with("\xff\xd8\xff")) return decode_jpeg(bytes, what);
  throw Error(ErrorCode::unsupported, "'" + what + "' is neither a PNG nor a JPEG file.");
}

}  // namespace ferry::cli
