#include "importer/ops/rows.h"

namespace ferry {
namespace {

constexpr std::string_view kPixelFormats[] = {"RGB", "BGR", "Grayscale"};
constexpr AttrSpec kImageDecoder[] = {
    text("pixel_format", "RGB", kPixelFormats),
};

constexpr OpRow kRows[] = {
    // ImageDecoder(encoded_stream) -> image
    {.op = "ImageDecoder", .since = {20}, .attributes = kImageDecoder},
};

}  // namespace

std::span<const OpRow> image_rows() { return kRows; }

}  // namespace ferry
