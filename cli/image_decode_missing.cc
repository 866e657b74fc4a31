// In place of image_decode.cc where libpng or libjpeg-turbo was not there at build time.
#include "cli/image.h"
#include "ferry/error.h"

namespace ferry::cli {

Image decode_image(std::string_view, const std::string& what) {
  throw Error(ErrorCode::unsupported,
              "'" + what +
                  "' cannot be decoded: this ferry was built without image decoders. "
                  "Install libpng-dev and libturbojpeg0-dev and build it again.");
}

}  // namespace ferry::cli
