#include "core/safetensors.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <complex>
#include <filesystem>
#include <random>

#include "core/files.h"
#include "ferry/error.h"
#include "ferry/model.h"

namespace ferry {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Safetensors : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("ferry_st_" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string path(const std::string& name) const { return folder_ / name; }

  // A file of `header`, its length in front, and `data` behind it.
  std::string write(const std::string& header, const std::string& data) const {
    const uint64_t length = header.size();
    write_file(path("t.safetensors"),
               std::string(reinterpret_cast<const char*>(&length), 8) + header + data);
    return path("t.safetensors");
  }

  std::filesystem::path folder_;
};

// Bytes as the format's description has them, not as our writer makes them.
TEST_F(Safetensors, ReadsWhatTheFormatDescribes) {
  const std::string floats("\0\0\x80\x3f\0\0\0\x40", 8);  // 1, 2
  const std::string file = write(
      R"({"__metadata__":{"format":"pt"},"b":{"dtype":"U8","shape":[3],"data_offsets":[8,11]},)"
      R"("a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},)"
      R"("none":{"dtype":"I64","shape":[0,4],"data_offsets":[8,8]}}   )",
      floats + "\x01\x02\xff");
  const NamedTensors tensors = load_safetensors(file);
  ASSERT_EQ(tensors.size(), 3u);
  EXPECT_EQ(tensors[0].first, "a");
  EXPECT_EQ(tensors[0].second.str(), "tensor([[1., 2.]])");
  EXPECT_EQ(tensors[1].first, "none");
  EXPECT_EQ(tensors[1].second.shape(), (Shape{0, 4}));
  EXPECT_THAT(tensors[2].second.span<uint8_t>(), ElementsAre(1, 2, 255));
  EXPECT_THAT(Tensor::load(file + ":a").span<float>(), ElementsAre(1, 2));
  EXPECT_EQ(load_safetensors(write("{}", "")).size(), 0u);
  EXPECT_THAT(load_safetensors(write(R"({"x":{"dtype":"BOOL","shape":[3],"data_offsets":[0,3]}})",
                                     std::string("\0\1\7", 3)))[0]
                  .second.span<bool>(),
              ElementsAre(false, true, true));
}

TEST_F(Safetensors, RoundTripsEveryTypeThatTheFormatHas) {
  NamedTensors all;
  for (const DType dtype :
       {boolean, uint8, int8, uint16, int16, uint32, int32, uint64, int64, float16, bfloat16,
        float32, float64, float8_e4m3fn, float8_e5m2, float8_e8m0, float4_e2m1}) {
    all.emplace_back(std::string(to_string(dtype)), Tensor::from({{0, 1}, {1, 1}}, dtype));
  }
  all.emplace_back("scalar \xc3\xa9 \"quoted\"", Tensor::scalar(3.0f));
  all.emplace_back("complex64", Tensor::from(std::vector<std::complex<float>>{{1, -2}, {0, 3}}));
  all.emplace_back("empty", Tensor::zeros({2, 0}));
  save_safetensors(path("all.safetensors"), all);
  const NamedTensors read = load_safetensors(path("all.safetensors"));
  ASSERT_EQ(read.size(), all.size());
  for (const auto& [name, tensor] : all) {
    const Tensor one = load_safetensors_member(path("all.safetensors"), name);
    EXPECT_EQ(one.dtype(), tensor.dtype()) << name;
    EXPECT_EQ(one.str(), tensor.str()) << name;
  }
  NamedValues(all).save(path("again.safetensors"));
  EXPECT_EQ(NamedValues::load(path("again.safetensors"))["int8"].str(),
            Tensor::from({{0, 1}, {1, 1}}, int8).str());
  // Elements lie where their type may be read.
  const std::string bytes = read_file(path("all.safetensors"));
  uint64_t length = 0;
  std::copy_n(bytes.data(), 8, reinterpret_cast<char*>(&length));
  EXPECT_EQ(length % 8, 0u);
}

TEST_F(Safetensors, SavesOneTensorUnderAKey) {
  Tensor::from({1, 2}).save(path("one.safetensors") + ":w");
  EXPECT_THAT(Tensor::load(path("one.safetensors") + ":w").span<float>(), ElementsAre(1, 2));
  Tensor::from({3}).save(path("one.npz") + ":w");
  EXPECT_THAT(Tensor::load(path("one.npz") + ":w").span<float>(), ElementsAre(3));
  try {
    (void)Tensor::load(path("one.safetensors") + ":W1");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::not_found);
    EXPECT_THAT(error.what(), HasSubstr("Did you mean 'w'?"));
  }
}

TEST_F(Safetensors, RefusesHostileHeaders) {
  const auto tensor = [](const std::string& offsets, const std::string& shape = "[2]",
                         const std::string& dtype = "\"U8\"") {
    return "{\"dtype\":" + dtype + ",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
  };
  struct Case {
    std::string header, data;
    const char* text;
  };
  const std::string a = "{\"a\":", two = "\1\2", four = "\1\2\3\4";
  const std::string huge = "18446744073709551616";  // 2^64
  const Case kCases[] = {
      {a + tensor("[0,2]") + ",\"b\":" + tensor("[1,3]") + "}", "\1\2\3", "overlaps tensor 'b'"},
      {a + tensor("[0,2]") + ",\"b\":" + tensor("[0,2]") + "}", two, "overlaps tensor 'b'"},
      {a + tensor("[0,2]") + ",\"b\":" + tensor("[3,5]") + "}", "12345", "a gap before tensor 'b'"},
      {a + tensor("[1,3]") + "}", "123", "a gap before tensor 'a'"},
      {a + tensor("[0,2]") + "}", four, "2 bytes at its end"},
      {"{}", two, "2 bytes at its end"},
      {a + tensor("[0,2]") + "}", "\1", "outside the file"},
      {a + tensor("[2,0]") + "}", two, "outside the file"},
      {a + tensor("[0,9223372036854775807]") + "}", two, "outside the file"},
      {a + tensor("[0," + huge + "]") + "}", two, "with the entry"},
      {a + tensor("[-2,0]") + "}", two, "with the entry -2"},
      {a + tensor("[0,2.5]") + "}", two, "with the entry 2.5"},
      {a + tensor("[0]") + "}", two, "outside the file"},
      {a + tensor("{}") + "}", two, "no list"},
      {a + tensor("[0,2]", "[3]") + "}", two, "of shape [3] has 2 bytes"},
      {a + tensor("[0,2]", "[-2]") + "}", two, "a shape with the entry -2"},
      {a + tensor("[0,2]", "[4611686018427387904,4]") + "}", two, "too large"},
      {a + tensor("[0,2]", "[[2]]") + "}", two, "a shape with the entry"},
      {a + tensor("[0,2]", "[2]", "\"Q7\"") + "}", two, "has the type \"Q7\""},
      {a + tensor("[0,2]", "[2]", "8") + "}", two, "has the type 8"},
      {a + tensor("[0,2]", "[3]", "\"F4\"") + "}", two, "ends within a byte"},
      {a + tensor("[0,2]") + ",\"a\":" + tensor("[0,2]") + "}", two, "a name twice"},
      {a + "{\"dtype\":\"U8\",\"dtype\":\"I8\",\"shape\":[2],\"data_offsets\":[0,2]}}", two,
       "a name twice"},
      {a + "{\"dtype\":\"U8\",\"shape\":[2]}}", two, "has no data_offsets"},
      {a + "{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2],\"x\":1}}", two,
       "does not know"},
      {a + "7}", "", "has no dtype"},
      {"{\"__metadata__\":{\"n\":1}}", "", "metadata"},
      {"[1]", "", "does not start with {"},
      {" {}", "", "does not start with {"},
      {"{\"a\":", "", "not a JSON object"},
      {"{}x", "", "not a JSON object"},
      {"{\"a\":" + std::string(100'000, '[') + std::string(100'000, ']') + "}", "", "has no dtype"},
  };
  for (const Case& c : kCases) {
    const std::string file = write(c.header, c.data);
    try {
      (void)load_safetensors(file);
      ADD_FAILURE() << c.header.substr(0, 200);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
      EXPECT_THAT(error.what(), HasSubstr(c.text)) << c.header.substr(0, 200);
    }
  }
  const std::pair<std::string, const char*> kFiles[] = {
      {"", "no header"},
      {std::string("\5\0\0", 3), "no header"},
      {std::string("\5\0\0\0\0\0\0\0{}", 10), "ends after the file"},
      {std::string(8, '\xff'), "claims 18446744073709551615 bytes"},
      {std::string("\1\xe1\xf5\5\0\0\0\0", 8), "claims 100000001 bytes"},
  };
  for (const auto& [bytes, text] : kFiles) {
    write_file(path("f.safetensors"), bytes);
    try {
      (void)load_safetensors(path("f.safetensors"));
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr(text));
    }
  }
  EXPECT_THROW((void)load_safetensors(path("missing.safetensors")), Error);
  EXPECT_THROW((void)load_safetensors(path(".")), Error);
}

// Any bytes give tensors or an Error.
TEST_F(Safetensors, MutatedFilesAreReadOrRefused) {
  save_safetensors(path("ok.safetensors"), {{"weight", Tensor::full({8, 8}, 2)},
                                            {"bias", Tensor::from({5, 6}, int8)},
                                            {"empty", Tensor::zeros({0, 3})}});
  const std::string good = read_file(path("ok.safetensors"));
  constexpr uint32_t kSeed = 41;
  std::mt19937 random(kSeed);
  const std::string_view interesting = "{}[]\",:0189-eE. \\u\xff";
  int read = 0, refused = 0;
  for (int round = 0; round < 600; ++round) {
    std::string bytes = good;
    const size_t changes = 1 + random() % 3;
    for (size_t i = 0; i < changes; ++i) {
      const size_t at = random() % bytes.size();
      switch (random() % 4) {
        case 0:
          bytes[at] = interesting[random() % interesting.size()];
          break;
        case 1:
          bytes[at] = static_cast<char>(random());
          break;
        case 2:
          bytes.erase(at, 1 + random() % 8);
          break;
        default:
          bytes.insert(at, 1, interesting[random() % interesting.size()]);
      }
      if (bytes.empty()) bytes = "x";
    }
    write_file(path("m.safetensors"), bytes);
    try {
      (void)load_safetensors(path("m.safetensors"));
      ++read;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument)
          << "seed " << kSeed << ", round " << round << ": " << error.what();
      ++refused;
    }
  }
  EXPECT_GT(read, 50);  // data bytes and names may change
  EXPECT_GT(refused, 200);
}

TEST_F(Safetensors, RefusesToSaveWhatTheFormatCannotHold) {
  const std::pair<NamedTensors, const char*> kCases[] = {
      {{{"s", Tensor::from(std::vector<std::string>{"a"})}}, "no type for string"},
      {{{"i", Tensor::zeros({2}, int4)}}, "no type for int4"},
      {{{"f", Tensor::zeros({3}, float4_e2m1)}}, "do not fill whole bytes"},
      {{{"a", Tensor::zeros({2})}, {"a", Tensor::zeros({2})}}, "the name is taken"},
      {{{"__metadata__", Tensor::zeros({2})}}, "the name is taken"},
      {{{"\xff", Tensor::zeros({2})}}, "not UTF-8"},
  };
  for (const auto& [tensors, text] : kCases) {
    try {
      save_safetensors(path("no.safetensors"), tensors);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr(text));
    }
    EXPECT_FALSE(std::filesystem::exists(path("no.safetensors")));
  }
  EXPECT_THROW(NamedValues().save(path("x.npy")), Error);
}

}  // namespace
}  // namespace ferry
