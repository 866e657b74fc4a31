#include "cli/image.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <random>

#include "core/files.h"
#include "ferry/ferry.h"

#ifdef FERRY_HAS_IMAGES
#include <png.h>
#include <turbojpeg.h>
#endif

// img: as an input. Pictures are made here; resized ones are compared with what PIL 13 gives.
namespace ferry::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

TensorInfo input_of(std::vector<std::string> dims, DType dtype = float32) {
  return {"x", dtype, true, std::move(dims)};
}

// 5 x 7 pixels that go up and down.
Image gray_pattern() {
  Image image{5, 7, 1, {}};
  for (int y = 0; y < 5; ++y) {
    for (int x = 0; x < 7; ++x) {
      image.pixels.push_back(static_cast<uint8_t>(y * 53 + x * 29 + x * y * 17));
    }
  }
  return image;
}

TEST(Image, ResizesAsPilDoes) {
  struct Case {
    int64_t height, width;
    std::vector<int> pixels;
  };
  const Case kCases[] = {
      {1, 1, {131}},
      {3, 4, {42, 98, 143, 117, 136, 152, 131, 143, 162, 142, 158, 97}},
      {5, 3, {25, 87, 149, 92, 176, 88, 160, 114, 174, 173, 143, 113, 131, 172, 107}},
      {9, 10, {0,   16,  36,  57,  77,  97,  117, 138, 158, 174, 18,  37,  61,  86,  110,
               134, 154, 119, 121, 140, 47,  71,  103, 133, 164, 195, 215, 86,  60,  84,
               77,  106, 144, 181, 145, 142, 173, 111, 112, 142, 106, 141, 185, 229, 107,
               61,  105, 149, 193, 228, 135, 175, 191, 142, 111, 122, 166, 117, 132, 172,
               165, 194, 182, 80,  126, 173, 201, 99,  86,  116, 194, 151, 116, 121, 180,
               184, 133, 138, 103, 60,  212, 125, 77,  145, 213, 191, 93,  161, 113, 26}},
  };
  const Image image = gray_pattern();
  for (const Case& c : kCases) {
    const Image out = resized(image, c.height, c.width);
    EXPECT_EQ(out.height, c.height);
    EXPECT_EQ(out.width, c.width);
    ASSERT_EQ(out.pixels.size(), c.pixels.size());
    for (size_t i = 0; i < c.pixels.size(); ++i) {
      EXPECT_NEAR(out.pixels[i], c.pixels[i], 1) << c.height << "x" << c.width << " at " << i;
    }
  }
  EXPECT_EQ(resized(image, 5, 7).pixels, image.pixels);
}

#ifndef FERRY_HAS_IMAGES

TEST(Image, WithoutDecodersTheErrorSaysWhatToInstall) {
  try {
    (void)decode_image("", "cat.jpg");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::unsupported);
    EXPECT_THAT(error.what(), HasSubstr("libpng-dev and libturbojpeg0-dev"));
  }
}

#else

std::string png_of(const std::vector<uint8_t>& pixels, int height, int width, uint32_t format) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.height = static_cast<png_uint_32>(height);
  image.width = static_cast<png_uint_32>(width);
  image.format = format;
  png_alloc_size_t size = 0;
  EXPECT_NE(png_image_write_to_memory(&image, nullptr, &size, 0, pixels.data(), 0, nullptr), 0);
  std::string bytes(size, '\0');
  EXPECT_NE(png_image_write_to_memory(&image, bytes.data(), &size, 0, pixels.data(), 0, nullptr),
            0);
  bytes.resize(size);
  return bytes;
}

// The checksum at the end of a PNG's chunks (PNG specification, appendix D).
uint32_t png_checksum(const std::string& bytes) {
  uint32_t crc = ~0u;
  for (const char byte : bytes) {
    crc ^= static_cast<uint8_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0u);
  }
  return ~crc;
}

std::string jpeg_of(const std::vector<uint8_t>& pixels, int height, int width, int format) {
  tjhandle encoder = tjInitCompress();
  unsigned char* buffer = nullptr;
  unsigned long size = 0;
  EXPECT_EQ(tjCompress2(encoder, pixels.data(), width, 0, height, format, &buffer, &size,
                        TJSAMP_444, 100, 0),
            0);
  std::string bytes(reinterpret_cast<char*>(buffer), size);
  tjFree(buffer);
  tjDestroy(encoder);
  return bytes;
}

class ImageFile : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("ferry_img_" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
    // Red, green / blue, a mixture.
    write_file(file("rgb.png"),
               png_of({255, 0, 0, 0, 255, 0, 0, 0, 255, 12, 200, 77}, 2, 2, PNG_FORMAT_RGB));
    // 4 rows of 6 pixels; red is 10 * row + column.
    std::vector<uint8_t> wide;
    for (int i = 0; i < 24; ++i) {
      wide.insert(wide.end(), {static_cast<uint8_t>(10 * (i / 6) + i % 6), 0, 0});
    }
    write_file(file("wide.png"), png_of(wide, 4, 6, PNG_FORMAT_RGB));
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string file(const std::string& name) const { return folder_ / name; }

  // The elements for an input of type uint8, where pixels are as they are.
  std::vector<int> pixels(const std::string& spec, std::vector<std::string> dims) const {
    const Tensor tensor = load_image(folder_ / spec, input_of(std::move(dims), uint8));
    const auto span = tensor.span<uint8_t>();
    return {span.begin(), span.end()};
  }
  Error error(const std::string& spec, const TensorInfo& input) const {
    try {
      (void)load_image(folder_ / spec, input);
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << spec << " is not refused";
    return Error(ErrorCode::internal, "");
  }

  std::filesystem::path folder_;
};

TEST_F(ImageFile, ChannelsAndLayouts) {
  const std::vector<std::string> nchw{"n", "3", "h", "w"}, nhwc{"n", "h", "w", "3"};
  EXPECT_THAT(pixels("rgb.png", nchw), ElementsAre(255, 0, 0, 12, 0, 255, 0, 200, 0, 0, 255, 77));
  EXPECT_THAT(pixels("rgb.png", nhwc), ElementsAre(255, 0, 0, 0, 255, 0, 0, 0, 255, 12, 200, 77));
  EXPECT_THAT(pixels("rgb.png,bgr", nchw),
              ElementsAre(0, 0, 255, 77, 0, 255, 0, 200, 255, 0, 0, 12));
  EXPECT_THAT(pixels("rgb.png,nhwc", {"n", "h", "w", "c"}),
              ElementsAre(255, 0, 0, 0, 255, 0, 0, 0, 255, 12, 200, 77));
  // As PIL's convert("L").
  EXPECT_THAT(pixels("rgb.png", {"n", "1", "h", "w"}), ElementsAre(76, 150, 29, 130));
  EXPECT_THAT(pixels("rgb.png,gray", {"h", "w", "1"}), ElementsAre(76, 150, 29, 130));
  EXPECT_EQ(load_image(file("rgb.png"), input_of({"3", "h", "w"})).shape(), (Shape{3, 2, 2}));
  EXPECT_EQ(load_image(file("rgb.png"), {"x", float32, false, {}}).shape(), (Shape{1, 3, 2, 2}));
}

TEST_F(ImageFile, SizesAndCrops) {
  const std::vector<std::string> any{"1", "3", "h", "w"};
  const auto shape = [&](const std::string& options, std::vector<std::string> dims) {
    return load_image(file("wide.png") + options, input_of(std::move(dims))).shape();
  };
  EXPECT_EQ(shape("", any), (Shape{1, 3, 4, 6}));
  EXPECT_EQ(shape("", {"1", "3", "8", "5"}), (Shape{1, 3, 8, 5}));
  EXPECT_EQ(shape(",size=5", any), (Shape{1, 3, 5, 5}));
  EXPECT_EQ(shape(",size=7x3", any), (Shape{1, 3, 7, 3}));
  EXPECT_EQ(shape(",size=8,crop", any), (Shape{1, 3, 8, 8}));
  EXPECT_EQ(shape(",size=8,crop=5", any), (Shape{1, 3, 5, 5}));
  EXPECT_EQ(shape(",size=9x9,crop=2", any), (Shape{1, 3, 2, 2}));
  // The middle: rows 1 and 2, columns 2 and 3.
  const std::vector<int> middle = pixels("wide.png,crop=2", any);
  EXPECT_THAT(std::vector<int>(middle.begin(), middle.begin() + 4), ElementsAre(12, 13, 22, 23));
  // The shorter side is 4 already, so nothing is resized: columns 1 to 4.
  const std::vector<int> square = pixels("wide.png,size=4,crop", any);
  EXPECT_THAT(std::vector<int>(square.begin(), square.begin() + 4), ElementsAre(1, 2, 3, 4));
}

TEST_F(ImageFile, NumbersAreScaledAndNormalised) {
  const TensorInfo input = input_of({"1", "3", "h", "w"});
  const auto first_of_each = [&](const std::string& options) {
    const Tensor tensor = load_image(file("rgb.png") + options, input);
    return std::vector<float>{tensor.span<float>()[3], tensor.span<float>()[7],
                              tensor.span<float>()[11]};  // the mixture
  };
  const auto near = [](double a, double b, double c) {
    return ElementsAre(::testing::FloatNear(static_cast<float>(a), 1e-6f),
                       ::testing::FloatNear(static_cast<float>(b), 1e-6f),
                       ::testing::FloatNear(static_cast<float>(c), 1e-6f));
  };
  EXPECT_THAT(first_of_each(""), near(12 / 255., 200 / 255., 77 / 255.));
  EXPECT_THAT(first_of_each(",scale=1"), near(12, 200, 77));
  EXPECT_THAT(
      first_of_each(",mean=0.485,0.456,0.406,std=0.229,0.224,0.225"),
      near((12 / 255. - 0.485) / 0.229, (200 / 255. - 0.456) / 0.224, (77 / 255. - 0.406) / 0.225));
  EXPECT_THAT(first_of_each(",std=2,scale=1"), near(6, 100, 38.5));
  EXPECT_THAT(first_of_each(",scale=1,mean=-1"), near(13, 201, 78));
  EXPECT_THAT(first_of_each(",bgr,scale=1,mean=70,100,10"), near(7, 100, 2));
  const Tensor half = load_image(file("rgb.png"), input_of({"1", "3", "h", "w"}, float16));
  EXPECT_EQ(half.dtype(), float16);
}

TEST_F(ImageFile, DecodesPngAndJpeg) {
  write_file(file("alpha.png"), png_of({9, 8, 7, 0, 6, 5, 4, 128}, 1, 2, PNG_FORMAT_RGBA));
  EXPECT_THAT(pixels("alpha.png", {"1", "h", "w", "3"}), ElementsAre(9, 8, 7, 6, 5, 4));
  write_file(file("gray.png"), png_of({0, 100, 255}, 1, 3, PNG_FORMAT_GRAY));
  EXPECT_THAT(pixels("gray.png", {"1", "1", "h", "w"}), ElementsAre(0, 100, 255));
  std::vector<uint8_t> flat;
  for (int i = 0; i < 64; ++i) flat.insert(flat.end(), {200, 100, 50});
  write_file(file("flat.jpg"), jpeg_of(flat, 8, 8, TJPF_RGB));
  const std::vector<int> decoded = pixels("flat.jpg", {"1", "h", "w", "3"});
  ASSERT_EQ(decoded.size(), flat.size());
  for (size_t i = 0; i < flat.size(); ++i) EXPECT_NEAR(decoded[i], flat[i], 2);
}

TEST_F(ImageFile, RefusesWhatIsNotInTheGrammar) {
  const TensorInfo input = input_of({"1", "3", "h", "w"});
  struct Case {
    const char* spec;
    const char* text;
  };
  const Case kCases[] = {
      {"rgb.png,sise=4", "Did you mean 'size'?"},
      {"rgb.png,size", "needs a value, as in size=224"},
      {"rgb.png,size=0", "not a size from 1 to 32768"},
      {"rgb.png,size=-4", "not a size"},
      {"rgb.png,size=4x", "not a size"},
      {"rgb.png,size=4x4x4", "not a size"},
      {"rgb.png,size=99999999999999999999", "not a size"},
      {"rgb.png,size=4,size=4", "twice"},
      {"rgb.png,crop", "crop needs size=N"},
      {"rgb.png,size=4x5,crop", "crop needs size=N"},
      {"rgb.png,crop=3", "too small for crop=3"},
      {"rgb.png,rgb,bgr", "only one of rgb"},
      {"rgb.png,rgb=1", "takes no value"},
      {"rgb.png,nchw,nhwc", "only one of nchw"},
      {"rgb.png,gray", "with 3 channels; the picture has 1"},
      {"rgb.png,mean=", "needs a value, as in mean=0.485"},
      {"rgb.png,mean=a", "expected numbers"},
      {"rgb.png,mean=1,2", "one for each of the 3 channels"},
      {"rgb.png,std=1,2,3,4", "one for each"},
      {"rgb.png,std=0", "std must not be 0"},
      {"rgb.png,scale=x", "expected a number"},
      {"rgb.png,1,2", "'1' is not an option"},
  };
  for (const Case& c : kCases) {
    const Error refused = error(c.spec, input);
    EXPECT_EQ(refused.code(), ErrorCode::invalid_argument) << c.spec;
    EXPECT_THAT(refused.what(), HasSubstr(c.text)) << c.spec;
  }
  EXPECT_THAT(error("rgb.png", input_of({"2", "3", "h", "w"})).what(), HasSubstr("a batch of 1"));
  EXPECT_THAT(error("rgb.png", input_of({"n", "3"})).what(), HasSubstr("3 axes, or 4"));
  EXPECT_THAT(error("rgb.png", input_of({"1", "4", "h", "w"})).what(), HasSubstr("4 channels"));
  EXPECT_THAT(error("rgb.png,mean=1", input_of({"1", "3", "h", "w"}, uint8)).what(),
              HasSubstr("floating inputs"));
  EXPECT_THAT(error("rgb.png", input_of({"1", "3", "h", "w"}, string)).what(),
              HasSubstr("holds no picture"));
  EXPECT_EQ(error("missing.png", input).code(), ErrorCode::not_found);
}

TEST_F(ImageFile, RefusesHostileFiles) {
  const TensorInfo input = input_of({"1", "3", "h", "w"});
  std::string png = read_file(file("rgb.png"));
  std::string huge = png;
  // IHDR says 65535 x 65535, with the right checksum.
  huge.replace(16, 8, std::string("\0\0\xff\xff\0\0\xff\xff", 8));
  const uint32_t checksum = png_checksum(huge.substr(12, 17));
  for (size_t i = 0; i < 4; ++i) huge[29 + i] = static_cast<char>(checksum >> (24 - 8 * i));
  std::vector<uint8_t> noise(48 * 48 * 3);
  for (size_t i = 0; i < noise.size(); ++i) noise[i] = static_cast<uint8_t>(i * 7919 >> 3);
  const std::string jpeg = jpeg_of(noise, 48, 48, TJPF_RGB);
  const std::pair<std::string, std::string> kFiles[] = {
      {"short.png", png.substr(0, png.size() / 2)},
      {"signature.png", png.substr(0, 8)},
      {"huge.png", huge},
      {"short.jpg", jpeg.substr(0, jpeg.size() / 2)},
      {"header.jpg", jpeg.substr(0, 4)},
  };
  for (const auto& [name, bytes] : kFiles) {
    write_file(file(name), bytes);
    EXPECT_EQ(error(name, input).code(), ErrorCode::invalid_argument) << name;
  }
  EXPECT_THAT(error("huge.png", input).what(), HasSubstr("at most 100 million"));
  EXPECT_THAT(error("short.png", input).what(), HasSubstr("cannot be decoded"));
  write_file(file("line.png"), png_of(std::vector<uint8_t>(3000), 1, 3000, PNG_FORMAT_GRAY));
  EXPECT_THAT(error("rgb.png,size=16384", input).what(), HasSubstr("at most 2^26 pixels"));
  EXPECT_THAT(error("rgb.png", input_of({"1", "3", "4611686018427387904", "1"})).what(),
              HasSubstr("at most 2^26 pixels"));
  EXPECT_THAT(error("line.png,size=224,crop", input).what(), HasSubstr("would be 224x672000"));
  for (const char* bytes : {"", "GIF89a", "text"}) {
    write_file(file("other"), bytes);
    EXPECT_EQ(error("other", input).code(), ErrorCode::unsupported);
  }
  write_file(file("cmyk.jpg"), jpeg_of(std::vector<uint8_t>(256, 9), 8, 8, TJPF_CMYK));
  EXPECT_EQ(error("cmyk.jpg", input).code(), ErrorCode::unsupported);
}

// Any bytes give a picture or an Error.
TEST_F(ImageFile, MutatedFilesAreDecodedOrRefused) {
  std::vector<uint8_t> pixels(24 * 24 * 3);
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint8_t>(i * 31 >> 2);
  const std::string good[] = {png_of(pixels, 24, 24, PNG_FORMAT_RGB),
                              jpeg_of(pixels, 24, 24, TJPF_RGB)};
  constexpr uint32_t kSeed = 43;
  std::mt19937 random(kSeed);
  int refused = 0;
  for (int round = 0; round < 2000; ++round) {
    std::string bytes = good[round % 2];
    for (size_t i = 0; i < 1 + random() % 4; ++i) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    if (random() % 8 == 0) bytes.resize(random() % bytes.size());
    try {
      const Image image = decode_image(bytes, "mutated");
      EXPECT_EQ(image.pixels.size(), static_cast<size_t>(image.height * image.width * 3));
    } catch (const Error& error) {
      EXPECT_TRUE(error.code() == ErrorCode::invalid_argument ||
                  error.code() == ErrorCode::unsupported)
          << "seed " << kSeed << ", round " << round << ": " << error.what();
      ++refused;
    }
  }
  EXPECT_GT(refused, 500);
}

// A picture of a 4 as a user has it, 16 x 16 pixels and dark on no alpha, through the whole path.
TEST_F(ImageFile, AModelNamesTheDigitInAPicture) {
  const NamedValues golden = NamedValues::load(FERRY_SOURCE "/models/digits_1.npz");
  const Tensor images = golden["image"];  // [2, 1, 8, 8], 0 to 1
  std::vector<uint8_t> pixels;
  for (int y = 0; y < 16; ++y) {
    for (int x = 0; x < 16; ++x) {
      const float value = images.span<float>()[static_cast<size_t>(64 + y / 2 * 8 + x / 2)];
      pixels.push_back(static_cast<uint8_t>(value * 255 + 0.5f));
    }
  }
  write_file(file("four.png"), png_of(pixels, 16, 16, PNG_FORMAT_GRAY));
  const Model model = Model::load(FERRY_SOURCE "/models/digits.onnx");
  const Tensor image = load_image(file("four.png"), model.inputs()[0]);
  EXPECT_EQ(image.shape(), (Shape{1, 1, 8, 8}));
  const Tensor scores = model.run({{"image", image}})["scores"];
  const auto span = scores.span<float>();
  EXPECT_EQ(std::ranges::max_element(span) - span.begin(), 4);
}

#endif

}  // namespace
}  // namespace ferry::cli
