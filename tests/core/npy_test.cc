#include "core/npy.h"

#include <gmock/gmock.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "core/files.h"
#include "ferry/error.h"

namespace ferry {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string header(const std::string& dict) {
  std::string out = "\x93NUMPY";
  out += {'\1', '\0', static_cast<char>(dict.size() & 0xff), static_cast<char>(dict.size() >> 8)};
  return out + dict;
}

std::string bytes_of(std::initializer_list<float> values) {
  return {reinterpret_cast<const char*>(values.begin()), values.size() * 4};
}

class Npy : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("ferry_npy_" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string path(const std::string& name) const { return folder_ / name; }

  std::filesystem::path folder_;
};

TEST_F(Npy, RoundTripsEveryTypeThatNumpyHas) {
  for (const DType dtype : {float32, float64, float16, bfloat16, int8, int16, int32, int64, uint8,
                            uint16, uint32, uint64, boolean}) {
    const Tensor in = Tensor::from({{0, 1, 1}, {1, 0, 0}}, dtype);
    const Tensor out = read_npy(write_npy(in), "test");
    EXPECT_EQ(out.str(), in.str());
    EXPECT_EQ(out.dtype(), dtype);
  }
  const Tensor strings = Tensor::from(std::vector<std::string>{"a", "", "\xc3\xa9\xe2\x82\xac"});
  EXPECT_EQ(read_npy(write_npy(strings), "test").str(), strings.str());
  for (const Shape& shape : {Shape{}, Shape{0}, Shape{2, 0, 3}, Shape{5}}) {
    EXPECT_EQ(read_npy(write_npy(Tensor::zeros(shape)), "test").shape(), shape);
  }
}

TEST_F(Npy, ReadsFortranOrderAndBigEndian) {
  const std::string fortran = header("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }") +
                              bytes_of({1, 4, 2, 5, 3, 6});
  EXPECT_THAT(read_npy(fortran, "test").span<float>(), ElementsAre(1, 2, 3, 4, 5, 6));
  const std::string big = header("{'descr': '>i2', 'fortran_order': False, 'shape': (2,), }") +
                          std::string("\x01\x02\xff\xfe", 4);
  EXPECT_THAT(read_npy(big, "test").span<int16_t>(), ElementsAre(0x102, -2));
}

TEST_F(Npy, RefusesMalformedBytes) {
  const std::string ok = "'descr': '<f4', 'fortran_order': False, 'shape': ";
  const std::string cases[] = {
      "",
      "not an array at all",
      "\x93NUMPY\x01",
      std::string("\x93NUMPY\x09\x00\x00\x00", 10),
      std::string("\x93NUMPY\x01\x00\xff\xff", 10),
      header("{}"),
      header("{" + ok + "(2,), }"),              // no data
      header("{" + ok + "(2,), }") + "1234567",  // one byte short
      header("{" + ok + "(-1,), }"),
      header("{" + ok + "(4611686018427387904, 4), }"),
      header("{" + ok + "(x,), }"),
      header("{" + ok + "(2"),
      header("{'descr': '<c99', 'fortran_order': False, 'shape': (1,), }"),
      header("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }"),
      header("{'descr': '<U999999999', 'fortran_order': False, 'shape': (9,), }"),
  };
  for (const std::string& bytes : cases) {
    EXPECT_THROW((void)read_npy(bytes, "test"), Error) << bytes;
  }
}

TEST_F(Npy, ArchivesKeepOrderAndNames) {
  save_npz(path("a.npz"), {{"x", Tensor::from({1, 2})}, {"y/z", Tensor::scalar<int64_t>(3)}});
  const NamedTensors all = load_npz(path("a.npz"));
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].first, "x");
  EXPECT_EQ(all[1].first, "y/z");
  EXPECT_EQ(all[1].second.item(), 3);
  EXPECT_EQ(load_npz_member(path("a.npz"), "x").numel(), 2);
  try {
    (void)load_npz_member(path("a.npz"), "y/x");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::not_found);
    EXPECT_THAT(e.what(), HasSubstr("Did you mean 'y/z'?"));
  }
  EXPECT_THROW((void)load_npz(path("missing.npz")), Error);
  std::ofstream(path("bad.npz")) << "PK\x03\x04 nothing";
  EXPECT_THROW((void)load_npz(path("bad.npz")), Error);
}

// Sizes are claims until the bytes are there: a few bytes ask for no gigabytes.
TEST_F(Npy, ClaimsAreHeldAgainstTheBytes) {
  for (const char* type : {"<U0", "|S0", "<U1", "|S1", "<U1073741824", "<U3x"}) {
    const std::string bytes = header("{'descr': '" + std::string(type) +
                                     "', 'fortran_order': False, 'shape': (100000000,), }");
    EXPECT_THROW((void)read_npy(bytes, "test"), Error) << type;
  }
  save_npz(path("claims.npz"), {{"x", Tensor::zeros({2})}});
  const std::string good = read_file(path("claims.npz"));
  // The central directory's sizes, compressed and not, lie 20 bytes after its signature.
  const size_t at = good.find("PK\x01\x02") + 20;
  for (const uint32_t claim : {0x7fffffffu, 0xfffffffeu}) {
    for (const bool both : {false, true}) {
      std::string bad = good;
      if (both) std::memcpy(bad.data() + at, &claim, 4);
      std::memcpy(bad.data() + at + 4, &claim, 4);
      write_file(path("bad.npz"), bad);
      EXPECT_THROW((void)load_npz(path("bad.npz")), Error);
      EXPECT_THROW((void)load_npz_member(path("bad.npz"), "x"), Error);
      EXPECT_THROW((void)read_npz(bad, "test"), Error);
    }
  }
  EXPECT_EQ(load_npz(path("claims.npz")).size(), 1u);
}

// Zip64 sizes lie in an extra field; such an archive holds one member of 2^63 bytes, or 12 GiB.
TEST_F(Npy, Zip64ClaimsAreHeldAgainstTheBytes) {
  for (const uint64_t claim : {uint64_t{1} << 63, uint64_t{12} << 30}) {
    const auto number = [](uint64_t value, size_t bytes) {
      return std::string(reinterpret_cast<const char*>(&value), bytes);
    };
    const std::string sizes = number(1, 2) + number(16, 2) + number(claim, 8) + number(claim, 8);
    const std::string common = number(45, 2) + number(0, 2) + number(0, 2) + number(0, 4) +
                               number(0, 4) + number(UINT32_MAX, 4) + number(UINT32_MAX, 4) +
                               number(5, 2) + number(sizes.size(), 2);
    const std::string local = "PK\x03\x04" + common + "x.npy" + sizes;
    const std::string central = "PK\x01\x02" + number(45, 2) + common + number(0, 2) +
                                number(0, 2) + number(0, 2) + number(0, 4) + number(0, 4) +
                                "x.npy" + sizes;
    const std::string end = "PK\x05\x06" + number(0, 4) + number(1, 2) + number(1, 2) +
                            number(central.size(), 4) + number(local.size(), 4) + number(0, 2);
    write_file(path("zip64.npz"), local + central + end);
    EXPECT_THROW((void)load_npz(path("zip64.npz")), Error) << claim;
  }
}

TEST_F(Npy, TemporaryFilesFollowNoLinks) {
  write_file(path("precious"), "kept");
  for (int i = 0; i < 200; ++i) {
    const std::string name = "out.bin.tmp" + std::to_string(::getpid());
    std::filesystem::create_symlink(path("precious"), path(name + "." + std::to_string(i)));
    if (i == 0) std::filesystem::create_symlink(path("precious"), path(name));
  }
  try {
    write_file(path("out.bin"), "new");
    EXPECT_EQ(read_file(path("out.bin")), "new");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::io);
  }
  EXPECT_EQ(read_file(path("precious")), "kept");
}

TEST_F(Npy, DevicesWithoutAnEndAreRefused) {
  try {
    (void)read_file("/dev/zero");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::io);
    EXPECT_THAT(error.what(), HasSubstr("has not ended after 256 MiB"));
  }
}

TEST_F(Npy, WritesWholeFilesOrNone) {
  write_file(path("out.bin"), "first");
  write_file(path("out.bin"), "second");
  EXPECT_EQ(read_file(path("out.bin")), "second");
  EXPECT_THROW(write_file(path("no/such/folder"), "x"), Error);
  EXPECT_THROW(write_file("/dev/full", "x"), Error);
  size_t entries = 0;
  for ([[maybe_unused]] const auto& e : std::filesystem::directory_iterator(folder_)) ++entries;
  EXPECT_EQ(entries, 1u);
  EXPECT_THROW((void)read_file(folder_.string()), Error);
}

}  // namespace
}  // namespace ferry
