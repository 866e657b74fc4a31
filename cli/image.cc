#include "cli/image.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <set>
#include <tuple>

#include "cli/text.h"
#include "core/files.h"
#include "ferry/error.h"

namespace ferry::cli {
namespace {

constexpr int64_t kLargestSide = 32768;
constexpr int64_t kMostPixels = int64_t{1} << 26;  // that are made: 8192 x 8192

[[noreturn]] void refuse(const std::string& spec, const std::string& reason) {
  throw Error(ErrorCode::invalid_argument, "'img:" + spec + "': " + reason);
}

// ---- what is asked ------------------------------------------------------------------------------

enum class Channels { gray, rgb, bgr };
enum class Layout { nchw, nhwc };

struct Options {
  std::string file;
  std::optional<std::pair<int64_t, int64_t>> size;  // height, width
  bool square = false;                              // size was one number
  bool crop = false;
  std::optional<int64_t> crop_size;
  std::optional<Channels> channels;
  std::optional<Layout> layout;
  std::optional<double> scale;
  std::vector<double> mean, std;
};

class Parser {
 public:
  explicit Parser(const std::string& spec) : spec_(spec) {}

  Options run() {
    std::vector<double>* list = nullptr;  // mean or std, which go on behind a comma
    size_t start = 0;
    for (bool first = true; start <= spec_.size(); first = false) {
      const size_t end = std::min(spec_.find(',', start), spec_.size());
      const std::string word = spec_.substr(start, end - start);
      start = end + 1;
      if (first) {
        options_.file = word;
      } else if (const auto value = number<double>(word); list != nullptr && value) {
        list->push_back(*value);
      } else {
        list = option(word);
      }
    }
    if (options_.file.empty()) refuse(spec_, "the name of the file is missing.");
    if (options_.crop && !options_.crop_size) {
      if (!options_.size || !options_.square)
        refuse(spec_, "crop needs size=N or a number, crop=N.");
      options_.crop_size = options_.size->first;
    }
    if (!options_.mean.empty() != !options_.std.empty() && options_.mean.empty()) {
      options_.mean = {0};
    }
    if (options_.std.empty() && !options_.mean.empty()) options_.std = {1};
    return options_;
  }

 private:
  std::vector<double>* option(const std::string& word) {
    const size_t equals = word.find('=');
    const std::string key = word.substr(0, equals);
    const std::string value = equals == std::string::npos ? "" : word.substr(equals + 1);
    const auto plain = [&] {
      if (equals != std::string::npos) refuse(spec_, "'" + key + "' takes no value.");
      if (!seen_.insert(key).second) refuse(spec_, "'" + key + "' is there twice.");
    };
    const auto valued = [&] {
      if (value.empty()) refuse(spec_, "'" + key + "' needs a value, as in " + example(key) + ".");
      if (!seen_.insert(key).second) refuse(spec_, "'" + key + "' is there twice.");
    };
    if (key == "size") {
      valued();
      options_.size = size_of(value);
    } else if (key == "crop") {
      if (equals != std::string::npos) {
        valued();
        options_.crop_size = side_of(value);
      } else {
        plain();
      }
      options_.crop = true;
    } else if (key == "mean" || key == "std") {
      valued();
      std::vector<double>& list = key == "mean" ? options_.mean : options_.std;
      const auto first = number<double>(value);
      if (!first) refuse(spec_, "'" + word + "': expected numbers, as in " + example(key) + ".");
      list = {*first};
      return &list;
    } else if (key == "scale") {
      valued();
      options_.scale = number<double>(value);
      if (!options_.scale) refuse(spec_, "'" + word + "': expected a number.");
    } else if (key == "rgb" || key == "bgr" || key == "gray") {
      plain();
      if (options_.channels) refuse(spec_, "only one of rgb, bgr and gray can stand.");
      options_.channels = key == "rgb"   ? Channels::rgb
                          : key == "bgr" ? Channels::bgr
                                         : Channels::gray;
    } else if (key == "nchw" || key == "nhwc") {
      plain();
      if (options_.layout) refuse(spec_, "only one of nchw and nhwc can stand.");
      options_.layout = key == "nchw" ? Layout::nchw : Layout::nhwc;
    } else {
      refuse(spec_, "'" + key + "' is not an option of img:." +
                        suggestion(key, {"size", "crop", "mean", "std", "scale", "rgb", "bgr",
                                         "gray", "nchw", "nhwc"}));
    }
    return nullptr;
  }

  static std::string example(const std::string& key) {
    if (key == "mean") return "mean=0.485,0.456,0.406";
    if (key == "std") return "std=0.229,0.224,0.225";
    return key == "scale" ? "scale=0.00392" : key + "=224";
  }

  int64_t side_of(const std::string& text) const {
    const auto side = number<int64_t>(text);
    if (!side || *side < 1 || *side > kLargestSide) {
      refuse(spec_, "'" + text + "' is not a size from 1 to " + std::to_string(kLargestSide) + ".");
    }
    return *side;
  }

  std::pair<int64_t, int64_t> size_of(const std::string& text) {
    const size_t by = text.find('x');
    options_.square = by == std::string::npos;
    if (options_.square) return {side_of(text), side_of(text)};
    return {side_of(text.substr(0, by)), side_of(text.substr(by + 1))};
  }

  const std::string& spec_;
  Options options_;
  std::set<std::string> seen_;
};

// ---- what the model takes -----------------------------------------------------------------------

// The model's sizes along the axes of a picture; 0 where it has no number.
struct Wanted {
  Layout layout = Layout::nchw;
  bool has_batch = true;
  int64_t channels = 0, height = 0, width = 0;
};

Wanted wanted_of(const std::string& spec, const Options& options, const TensorInfo& input) {
  const size_t rank = input.has_shape ? input.dims.size() : 4;
  if (rank != 3 && rank != 4) {
    refuse(spec, "input '" + input.name + "' is " + input.str() +
                     "; a picture has 3 axes, or 4 with a batch.");
  }
  Wanted out;
  out.has_batch = rank == 4;
  if (!input.has_shape) {
    out.layout = options.layout.value_or(Layout::nchw);
    return out;
  }
  std::array<int64_t, 3> axes{};
  for (size_t i = 0; i < 3; ++i) axes[i] = number<int64_t>(input.dims[rank - 3 + i]).value_or(0);
  const auto is_color = [](int64_t size) { return size == 1 || size == 3; };
  const bool last = !is_color(axes[0]) && is_color(axes[2]);
  out.layout = options.layout.value_or(last ? Layout::nhwc : Layout::nchw);
  if (out.layout == Layout::nhwc) std::ranges::rotate(axes, axes.begin() + 2);
  std::tie(out.channels, out.height, out.width) = std::tuple_cat(axes);
  if (out.has_batch && number<int64_t>(input.dims[0]).value_or(1) != 1) {
    refuse(spec,
           "input '" + input.name + "' is " + input.str() + "; one picture makes a batch of 1.");
  }
  return out;
}

Image cropped(const std::string& spec, const Image& image, int64_t side) {
  if (image.height < side || image.width < side) {
    refuse(spec, "the picture is " + std::to_string(image.height) + "x" +
                     std::to_string(image.width) + ", too small for crop=" + std::to_string(side) +
                     "; give a size to resize it first.");
  }
  // As torchvision's CenterCrop rounds: halves go to the even number.
  const auto top = std::lrint(static_cast<double>(image.height - side) / 2);
  const auto left = std::lrint(static_cast<double>(image.width - side) / 2);
  Image out{side, side, image.channels, {}};
  for (int64_t y = 0; y < side; ++y) {
    const auto row = image.pixels.begin() + ((top + y) * image.width + left) * image.channels;
    out.pixels.insert(out.pixels.end(), row, row + side * image.channels);
  }
  return out;
}

// Refuses what would take memory out of proportion; the image between the two passes counts, too.
Image resized_within(const std::string& spec, const Image& image, int64_t height, int64_t width) {
  if (std::max(image.height, height) > kMostPixels / std::max<int64_t>(1, width)) {
    refuse(spec, "a picture of " + std::to_string(image.height) + "x" +
                     std::to_string(image.width) + " pixels cannot become one of " +
                     std::to_string(height) + "x" + std::to_string(width) +
                     ": at most 2^26 pixels are made.");
  }
  return resized(image, height, width);
}

Image shaped(const std::string& spec, const Options& options, const Wanted& wanted,
             const Image& image) {
  if (options.crop) {
    if (!options.size) return cropped(spec, image, *options.crop_size);
    auto [height, width] = *options.size;
    if (options.square) {  // the shorter side; the longer one in proportion, rounded down
      const int64_t side = height, shorter = std::min(image.height, image.width);
      height = side * image.height / shorter;
      width = side * image.width / shorter;
      if (std::max(height, width) > kLargestSide) {
        refuse(spec, "resized, the picture would be " + std::to_string(height) + "x" +
                         std::to_string(width) + "; at most " + std::to_string(kLargestSide) +
                         " are made.");
      }
    }
    return cropped(spec, resized_within(spec, image, height, width), *options.crop_size);
  }
  if (options.size) return resized_within(spec, image, options.size->first, options.size->second);
  return resized_within(spec, image, wanted.height > 0 ? wanted.height : image.height,
                        wanted.width > 0 ? wanted.width : image.width);
}

// Channel c of a pixel of three, red first.
uint8_t channel_of(const uint8_t* pixel, Channels channels, int64_t c) {
  switch (channels) {
    case Channels::rgb:
      return pixel[c];
    case Channels::bgr:
      return pixel[2 - c];
    case Channels::gray:  // ITU-R 601-2, as PIL's convert("L")
      return static_cast<uint8_t>(
          (pixel[0] * 19595 + pixel[1] * 38470 + pixel[2] * 7471 + 0x8000) >> 16);
  }
  return 0;
}

double of_channel(const std::vector<double>& values, int64_t c, double otherwise) {
  if (values.empty()) return otherwise;
  return values.size() == 1 ? values[0] : values[c];
}

}  // namespace

Image resized(const Image& image, int64_t height, int64_t width) {
  if (image.height == height && image.width == width) return image;
  // One pass along the axis of `from` pixels, which lie `step` apart.
  struct Tap {
    int64_t first;
    std::vector<double> weights;
  };
  const auto taps_of = [](int64_t from, int64_t to) {
    const double ratio = static_cast<double>(from) / static_cast<double>(to);
    const double reach = std::max(ratio, 1.0);
    std::vector<Tap> taps;
    for (int64_t i = 0; i < to; ++i) {
      const double center = (static_cast<double>(i) + 0.5) * ratio;
      const int64_t first = std::max<int64_t>(0, static_cast<int64_t>(center - reach + 0.5));
      const int64_t last = std::min(from, static_cast<int64_t>(center + reach + 0.5));
      Tap tap{first, {}};
      double sum = 0;
      for (int64_t k = first; k < last; ++k) {
        const double x = (static_cast<double>(k) - center + 0.5) / reach;
        tap.weights.push_back(std::max(0.0, 1 - std::fabs(x)));
        sum += tap.weights.back();
      }
      for (double& weight : tap.weights) weight /= sum;
      taps.push_back(std::move(tap));
    }
    return taps;
  };
  const auto rounded = [](double value) {
    return static_cast<uint8_t>(std::clamp(std::floor(value + 0.5), 0.0, 255.0));
  };
  const int64_t channels = image.channels;
  Image wide{image.height, width, channels, {}};
  wide.pixels.resize(static_cast<size_t>(image.height * width * channels));
  const std::vector<Tap> across = taps_of(image.width, width), down = taps_of(image.height, height);
  for (int64_t y = 0; y < image.height; ++y) {
    const uint8_t* row = image.pixels.data() + y * image.width * channels;
    for (int64_t x = 0; x < width; ++x) {
      const Tap& tap = across[x];
      for (int64_t c = 0; c < channels; ++c) {
        double sum = 0;
        for (size_t k = 0; k < tap.weights.size(); ++k) {
          sum += tap.weights[k] * row[(tap.first + static_cast<int64_t>(k)) * channels + c];
        }
        wide.pixels[(y * width + x) * channels + c] = rounded(sum);
      }
    }
  }
  Image out{height, width, channels, {}};
  const int64_t row = width * channels;
  out.pixels.resize(static_cast<size_t>(height * row));
  for (int64_t y = 0; y < height; ++y) {
    const Tap& tap = down[y];
    for (int64_t i = 0; i < row; ++i) {
      double sum = 0;
      for (size_t k = 0; k < tap.weights.size(); ++k) {
        sum += tap.weights[k] * wide.pixels[(tap.first + static_cast<int64_t>(k)) * row + i];
      }
      out.pixels[y * row + i] = rounded(sum);
    }
  }
  return out;
}

Tensor load_image(const std::string& spec, const TensorInfo& input) {
  const Options options = Parser(spec).run();
  const Wanted wanted = wanted_of(spec, options, input);
  const Channels channels =
      options.channels.value_or(wanted.channels == 1 ? Channels::gray : Channels::rgb);
  const int64_t count = channels == Channels::gray ? 1 : 3;
  if (wanted.channels > 0 && wanted.channels != count) {
    refuse(spec, "input '" + input.name + "' is " + input.str() + ", with " +
                     std::to_string(wanted.channels) + " channels; the picture has " +
                     std::to_string(count) + ".");
  }
  for (const std::vector<double>* list : {&options.mean, &options.std}) {
    if (list->size() > 1 && static_cast<int64_t>(list->size()) != count) {
      refuse(spec, "mean and std need 1 number, or one for each of the " + std::to_string(count) +
                       " channels.");
    }
  }
  if (std::ranges::find(options.std, 0.0) != options.std.end()) refuse(spec, "std must not be 0.");
  const bool floating = is_floating(input.dtype);
  if (!floating && (!is_integer(input.dtype) || options.scale || !options.mean.empty())) {
    refuse(spec, "input '" + input.name + "' is " + input.str() +
                     (is_integer(input.dtype) ? "; scale, mean and std are for floating inputs."
                                              : ", which holds no picture."));
  }
  const Image image =
      shaped(spec, options, wanted, decode_image(read_file(options.file), options.file));
  const double scale = options.scale.value_or(floating ? 1.0 / 255 : 1.0);
  std::vector<float> values(static_cast<size_t>(image.height * image.width * count));
  const bool channels_first = wanted.layout == Layout::nchw;
  const int64_t pixels = image.height * image.width;
  for (int64_t p = 0; p < pixels; ++p) {
    for (int64_t c = 0; c < count; ++c) {
      const double value = channel_of(image.pixels.data() + 3 * p, channels, c) * scale;
      const double normal =
          (value - of_channel(options.mean, c, 0)) / of_channel(options.std, c, 1);
      values[channels_first ? c * pixels + p : p * count + c] = static_cast<float>(normal);
    }
  }
  Shape shape = channels_first ? Shape{count, image.height, image.width}
                               : Shape{image.height, image.width, count};
  if (wanted.has_batch) shape.insert(shape.begin(), 1);
  return Tensor::from(values, std::move(shape)).to(input.dtype);
}

}  // namespace ferry::cli
