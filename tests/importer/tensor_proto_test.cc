#include "importer/format/tensor_proto.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "core/storage.h"
#include "importer/format/onnx_wire.pb.h"
#include "importer/format/wire_scan.h"
#include "importer/problems.h"
#include "tests/support/model_builder.h"

namespace ferry {
namespace {

using Fill = std::function<void(onnx::TensorProto&)>;

onnx::TensorProto proto_of(DType dtype, const std::vector<int64_t>& shape, const Fill& fill = {}) {
  onnx::TensorProto proto;
  proto.set_data_type(static_cast<int>(dtype));
  for (int64_t size : shape) proto.add_dims(size);
  if (fill) fill(proto);
  return proto;
}

Tensor read(const onnx::TensorProto& proto) {
  auto bytes = std::make_shared<std::string>(proto.SerializeAsString());
  return tensor_from_pb(testing::as_bytes(*bytes), bytes);
}

std::string refusal(const onnx::TensorProto& proto) {
  try {
    read(proto);
    return "";
  } catch (const Error& error) {
    return error.message();
  }
}

std::vector<uint8_t> bytes_of(const Tensor& tensor) {
  const auto* data = static_cast<const uint8_t*>(tensor.data());
  return {data, data + tensor.nbytes()};
}

// Each element type, once as raw_data and once in its typed field: the same bytes come out.
TEST(TensorProto, ReadsEveryTypeFromBothForms) {
  struct Case {
    DType dtype;
    std::vector<int64_t> shape;
    std::vector<uint8_t> raw;
    Fill typed;
  };
  auto ints = [](std::vector<int> values) {
    return [values](onnx::TensorProto& p) {
      for (int value : values) p.add_int32_data(value);
    };
  };
  const Case cases[] = {
      {float32,
       {2},
       {0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0},
       [](auto& p) { p.add_float_data(1), p.add_float_data(-2); }},
      {float64, {1}, {0, 0, 0, 0, 0, 0, 0xf0, 0x3f}, [](auto& p) { p.add_double_data(1); }},
      {complex64,
       {1},
       {0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0},
       [](auto& p) { p.add_float_data(1), p.add_float_data(-2); }},
      {complex128,
       {1},
       {0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0},
       [](auto& p) { p.add_double_data(1), p.add_double_data(0); }},
      {int64,
       {1},
       {0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
       [](auto& p) { p.add_int64_data(-2); }},
      {uint64,
       {1},
       {1, 0, 0, 0, 0, 0, 0, 0x80},
       [](auto& p) { p.add_uint64_data((uint64_t{1} << 63) + 1); }},
      {uint32, {1}, {1, 0, 0, 0x80}, [](auto& p) { p.add_uint64_data(0x80000001u); }},
      {int32, {2}, {0xff, 0xff, 0xff, 0xff, 7, 0, 0, 0}, ints({-1, 7})},
      {int16, {2}, {0, 0x80, 0xff, 0x7f}, ints({-32768, 32767})},
      {uint16, {1}, {0xff, 0xff}, ints({65535})},
      {int8, {2}, {0x80, 0x7f}, ints({-128, 127})},
      {uint8, {2}, {0, 0xff}, ints({0, 255})},
      {boolean, {3}, {1, 0, 1}, ints({1, 0, 1})},
      {float16, {1}, {0, 0x3c}, ints({0x3c00})},
      {bfloat16, {1}, {0x80, 0x3f}, ints({0x3f80})},
      {float8_e4m3fn, {2}, {0x38, 0xb8}, ints({0x38, 0xb8})},
      {float8_e4m3fnuz, {1}, {0x40}, ints({0x40})},
      {float8_e5m2, {1}, {0x3c}, ints({0x3c})},
      {float8_e5m2fnuz, {1}, {0x40}, ints({0x40})},
      {float8_e8m0, {1}, {127}, ints({127})},
      {uint4, {3}, {0x21, 0x03}, ints({0x21, 0x03})},
      {int4, {2, 1}, {0xf1}, ints({0xf1})},
      {float4_e2m1, {2}, {0x97}, ints({0x97})},
      {uint2, {5}, {0xe4, 0x01}, ints({0xe4, 0x01})},
      {int2, {4}, {0x1b}, ints({0x1b})},
  };
  EXPECT_EQ(std::size(cases) + 2, static_cast<size_t>(kDTypeCount));  // strings, undefined
  for (const Case& c : cases) {
    Tensor raw = read(proto_of(c.dtype, c.shape, [&](onnx::TensorProto& p) {
      p.set_raw_data(c.raw.data(), c.raw.size());
    }));
    Tensor typed = read(proto_of(c.dtype, c.shape, c.typed));
    for (const Tensor& tensor : {raw, typed}) {
      EXPECT_EQ(tensor.dtype(), c.dtype);
      EXPECT_EQ(tensor.shape(), c.shape) << to_string(c.dtype);
      EXPECT_EQ(bytes_of(tensor), c.raw) << to_string(c.dtype);
    }
  }
}

TEST(TensorProto, ReadsStringsAndEmptyTensors) {
  Tensor strings = read(proto_of(string, {2}, [](onnx::TensorProto& p) {
    p.add_string_data("");
    p.add_string_data("caf\xc3\xa9");
  }));
  EXPECT_THAT(strings.span<std::string>(), ::testing::ElementsAre("", "caf\xc3\xa9"));
  EXPECT_EQ(read(proto_of(float32, {0, 3})).numel(), 0);
  EXPECT_EQ(read(proto_of(string, {0})).numel(), 0);
  EXPECT_EQ(read(proto_of(float32, {2, 0}, [](auto& p) { p.set_raw_data(""); })).shape(),
            (Shape{2, 0}));
  Tensor scalar = read(proto_of(int64, {}, [](auto& p) { p.add_int64_data(5); }));
  EXPECT_EQ(scalar.dim(), 0);
  EXPECT_EQ(scalar.item(), 5);
}

// Unpacked repeated numbers, as writers without [packed] make them.
TEST(TensorProto, ReadsUnpackedNumbers) {
  std::string bytes;
  auto varint = [&](int field, uint64_t value) {
    bytes.push_back(static_cast<char>(field << 3));
    for (; value >= 0x80; value >>= 7) bytes.push_back(static_cast<char>(value | 0x80));
    bytes.push_back(static_cast<char>(value));
  };
  varint(1, 3);
  varint(2, static_cast<int>(int64));
  for (uint64_t value : {1, 300, 5}) varint(7, value);
  Tensor tensor = tensor_from_pb(testing::as_bytes(bytes), nullptr);
  EXPECT_THAT(tensor.span<int64_t>(), ::testing::ElementsAre(1, 300, 5));
}

TEST(TensorProto, RefusesWhatIsWrong) {
  struct Case {
    onnx::TensorProto proto;
    const char* message;
  };
  auto raw = [](size_t bytes) {
    return [bytes](onnx::TensorProto& p) { p.set_raw_data(std::string(bytes, '\0')); };
  };
  const Case cases[] = {
      {proto_of(static_cast<DType>(27), {1}, raw(4)), "no element type with number 27"},
      {proto_of(undefined, {1}, raw(4)), "no element type with number 0"},
      {proto_of(float32, {2}, raw(7)), "needs 8 bytes in raw_data and there are 7"},
      {proto_of(float32, {2}, raw(9)), "needs 8 bytes in raw_data and there are 9"},
      {proto_of(float32, {2}), "needs 2 values in float_data and there are"},
      {proto_of(float32, {-1}, raw(4)), "negative size -1"},
      {proto_of(float32, {int64_t{1} << 40, int64_t{1} << 40}), "overflow"},
      {proto_of(float32, {int64_t{1} << 40, int64_t{1} << 40, 0}), "overflow"},
      {proto_of(complex128, {int64_t{1} << 58}), "overflow"},
      {proto_of(float32, {int64_t{1} << 40}), "at most"},
      {proto_of(float32, {int64_t{1} << 30}), "there are fewer"},
      {proto_of(float32, {1}, [](auto& p) { p.add_int32_data(1); }), "belong in float_data"},
      {proto_of(int32, {1}, [](auto& p) { p.add_int64_data(1); }), "belong in int32_data"},
      {proto_of(float32, {1}, [](auto& p) { p.add_float_data(1), p.set_raw_data("abcd"); }),
       "in both float_data and raw_data"},
      {proto_of(float32, {2}, [](auto& p) { p.add_float_data(1); }), "there are 1"},
      {proto_of(float32, {1}, [](auto& p) { p.add_float_data(1), p.add_float_data(2); }),
       "there are more"},
      {proto_of(int8, {1}, [](auto& p) { p.add_int32_data(128); }), "128, which is no int8"},
      {proto_of(uint8, {1}, [](auto& p) { p.add_int32_data(-1); }), "-1, which is no uint8"},
      {proto_of(boolean, {1}, [](auto& p) { p.add_int32_data(2); }), "2, which is no bool"},
      {proto_of(boolean, {1}, [](auto& p) { p.set_raw_data("\x02"); }), "a bool is stored as 2"},
      {proto_of(uint32, {1}, [](auto& p) { p.add_uint64_data(1ull << 32); }), "is no uint32"},
      {proto_of(int4, {4}, [](auto& p) { p.add_int32_data(1); }), "needs 2 values"},
      {proto_of(string, {1}, raw(4)), "strings cannot be in raw_data"},
      {proto_of(string, {2}, [](auto& p) { p.add_string_data("a"); }), "there are 1"},
      {proto_of(string, {1}, [](auto& p) { p.add_string_data("\xff"); }), "is not UTF-8"},
      {proto_of(float32, {1}, [](auto& p) { p.set_data_location(1); }),
       "external data is not allowed"},
      {proto_of(float32, {1}, [](auto& p) { p.set_data_location(9); }), "no data location 9"},
      {proto_of(float32, {1}, [](auto& p) { p.mutable_segment()->set_end(1); }),
       "segments are not supported"},
  };
  for (const Case& c : cases) {
    EXPECT_THAT(refusal(c.proto), ::testing::HasSubstr(c.message)) << c.proto.data_type();
  }
}

TEST(TensorProto, RefusesSequencesAndOptionalsByName) {
  onnx::TensorProto tensor = proto_of(float32, {1}, [](auto& p) { p.add_float_data(1); });
  onnx::SequenceProto sequence;
  sequence.set_name("s");
  sequence.set_elem_type(1);
  *sequence.add_tensor_values() = tensor;
  onnx::OptionalProto optional;
  optional.set_elem_type(1);
  *optional.mutable_tensor_value() = tensor;
  std::string inner = sequence.SerializeAsString();
  std::string nested = std::string("\x10\x03\x2a") + static_cast<char>(inner.size()) + inner;
  for (const std::string& bytes :
       {inner, optional.SerializeAsString(), nested, std::string("\x10\x03\x2a\x02\x10\x01", 6)}) {
    try {
      tensor_from_pb(testing::as_bytes(bytes), nullptr);
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::unsupported);
      EXPECT_THAT(error.message(), ::testing::HasSubstr("SequenceProto or an OptionalProto"));
    }
  }
}

// Elements stay in the file where they are aligned for their type, and are copied elsewhere.
TEST(TensorProto, CopiesOnlyMisalignedElements) {
  std::string wire = proto_of(float32, {4}, [](auto& p) {
                       p.set_raw_data(std::string(16, '\0'));
                     }).SerializeAsString();
  size_t payload = wire.size() - 16;
  for (size_t shift = 0; shift < 8; ++shift) {
    auto buffer = std::shared_ptr<Storage>(allocate_host(256));
    auto* start = static_cast<uint8_t*>(buffer->data()) + shift;
    std::memcpy(start, wire.data(), wire.size());
    Tensor tensor = tensor_from_pb({start, wire.size()}, buffer);
    bool in_place = tensor.data() == start + payload;
    EXPECT_EQ(in_place, (shift + payload) % 4 == 0) << shift;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.data()) % 4, 0u);
    EXPECT_TRUE(tensor.storage()->read_only());
  }
}

TEST(TensorProto, KeepsTheFileAliveAndUnchanged) {
  auto bytes = std::make_shared<std::string>(
      proto_of(uint8, {3}, [](auto& p) { p.set_raw_data("abc"); }).SerializeAsString());
  std::weak_ptr<std::string> watch = bytes;
  Tensor tensor = tensor_from_pb(testing::as_bytes(*bytes), bytes);
  bytes.reset();
  EXPECT_FALSE(watch.expired());
  EXPECT_THAT(tensor.span<uint8_t>(), ::testing::ElementsAre('a', 'b', 'c'));
  EXPECT_THROW(tensor.mutable_span<uint8_t>(), Error);
  tensor = {};
  EXPECT_TRUE(watch.expired());
}

Tensor read_sparse(const onnx::SparseTensorProto& sparse) {
  onnx::ModelProto model;
  *model.mutable_graph()->add_sparse_initializer() = sparse;
  auto bytes = std::make_shared<std::string>(model.SerializeAsString());
  WireScan parts = scan(testing::as_bytes(*bytes), WireMessage::model);
  onnx::ModelProto read;
  read.ParseFromString(parts.skeleton);
  TensorReader reader(parts.tensors, bytes, false, nullptr, {});
  return reader.read_sparse(read.graph().sparse_initializer(0));
}

onnx::SparseTensorProto sparse_of(const std::vector<float>& values,
                                  const std::vector<int64_t>& indices,
                                  const std::vector<int64_t>& index_shape,
                                  const std::vector<int64_t>& shape) {
  onnx::SparseTensorProto sparse;
  testing::set_tensor(sparse.mutable_values(), values, {static_cast<int64_t>(values.size())},
                      float32);
  testing::set_tensor(sparse.mutable_indices(), indices, index_shape, int64);
  for (int64_t size : shape) sparse.add_dims(size);
  return sparse;
}

TEST(SparseTensor, BecomesDense) {
  for (const auto& sparse :
       {sparse_of({1, 2}, {1, 5}, {2}, {2, 3}), sparse_of({1, 2}, {0, 1, 1, 2}, {2, 2}, {2, 3})}) {
    EXPECT_THAT(read_sparse(sparse).span<float>(), ::testing::ElementsAre(0, 1, 0, 0, 0, 2));
  }
}

TEST(SparseTensor, RefusesBadIndicesAndSizes) {
  struct Case {
    onnx::SparseTensorProto sparse;
    const char* message;
  };
  const Case cases[] = {
      {sparse_of({1}, {6}, {1}, {2, 3}), "index 6 is out of range"},
      {sparse_of({1}, {-1}, {1}, {2, 3}), "index -1 is out of range"},
      {sparse_of({1}, {0, 3}, {1, 2}, {2, 3}), "index 3 is out of range"},
      {sparse_of({1, 2}, {1, 1}, {2}, {2, 3}), "ascending order"},
      {sparse_of({1, 2}, {1}, {1}, {2, 3}), "has indices of shape [1]"},
      {sparse_of({1}, {0}, {1}, {int64_t{1} << 40}), "more than"},
      {sparse_of({1}, {0}, {1}, {-3}), "negative size"},
  };
  for (const Case& c : cases) {
    try {
      read_sparse(c.sparse);
      ADD_FAILURE() << c.message;
    } catch (const ProblemError& problem) {
      EXPECT_THAT(problem.message, ::testing::HasSubstr(c.message));
    }
  }
}

class TensorFile : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        std::filesystem::temp_directory_path() / ("ferry_tensor_file_" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path folder_;
};

TEST_F(TensorFile, WritesAndReadsPbAndNpy) {
  Tensor strings = Tensor::from(std::vector<std::string>{"a", "b"});
  for (const Tensor& tensor : {Tensor::from({{1, 2}, {3, 4}}), Tensor::zeros({0, 2}, int8), strings,
                               Tensor::full({3}, 1, float8_e4m3fn)}) {
    std::string path = folder_ / "t.pb";
    tensor.save(path);
    Tensor back = Tensor::load(path);
    EXPECT_EQ(back.dtype(), tensor.dtype());
    EXPECT_EQ(back.shape(), tensor.shape());
    EXPECT_EQ(back.str(), tensor.str());
  }
  Tensor floats = Tensor::from({1.5, 2});
  floats.save(folder_ / "t.npy");
  EXPECT_EQ(Tensor::load(folder_ / "t.npy").str(), floats.str());
}

TEST_F(TensorFile, NamesWhatIsWrong) {
  auto message = [&](const std::string& name) -> std::string {
    try {
      Tensor::load(folder_ / name);
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  };
  EXPECT_THAT(message("none.pb"), ::testing::HasSubstr("none.pb"));
  EXPECT_THAT(message("x.txt"), ::testing::HasSubstr("must end in .npy, .pb"));
  EXPECT_THROW(Tensor::from({1}).save(folder_ / "x.txt"), Error);
}

}  // namespace
}  // namespace ferry
