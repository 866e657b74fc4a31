#include "ferry/tensor.h"

#include <gmock/gmock.h>

#include <cmath>
#include <complex>
#include <limits>
#include <numeric>
#include <sstream>

#include "ferry/error.h"

namespace ferry {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Tensor arange(int64_t count, Shape shape, DType dtype = float32) {
  std::vector<double> values(static_cast<size_t>(count));
  std::iota(values.begin(), values.end(), 0.0);
  return Tensor::from(values, std::move(shape)).to(dtype);
}

TEST(Tensor, FromNestedBraces) {
  const Tensor t = Tensor::from({{1, 2, 3}, {4, 5, 6}});
  EXPECT_EQ(t.shape(), (Shape{2, 3}));
  EXPECT_EQ(t.dtype(), float32);
  EXPECT_THAT(t.span<float>(), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_EQ(Tensor::from(7).dim(), 0);
  EXPECT_THROW((void)Tensor::from({{1, 2}, {3}}), Error);
  EXPECT_THROW((void)Tensor::from({{1, 2}, 3}), Error);
  EXPECT_THROW((void)Tensor::from({1, {2, 3}}), Error);
}

TEST(Tensor, ToSharesStorageUnlessSomethingChanges) {
  const Tensor t = Tensor::from({1.5, -2.5});
  EXPECT_TRUE(t.to(Device::cpu()).shares_storage_with(t));
  EXPECT_TRUE(t.to(float32).shares_storage_with(t));
  EXPECT_TRUE(t.cpu().shares_storage_with(t));
  EXPECT_FALSE(t.to(Device::cpu(), {.copy = true}).shares_storage_with(t));
  EXPECT_FALSE(t.clone().shares_storage_with(t));
  const Tensor i = t.to(int32);
  EXPECT_THAT(i.span<int32_t>(), ElementsAre(1, -2));
  EXPECT_THAT(t.span<float>(), ElementsAre(1.5f, -2.5f));
  EXPECT_EQ(t.to(i).dtype(), int32);
  EXPECT_EQ(t.half().dtype(), float16);
}

TEST(Tensor, AMissingGpuIsNamed) {
  try {
    (void)Tensor::from({1, 2}).cuda(99);
    FAIL() << "expected device_missing";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::device_missing);
    EXPECT_THAT(e.what(), HasSubstr("cuda:99"));
  }
}

TEST(Tensor, ChannelsLast) {
  const Tensor t = arange(24, {1, 2, 3, 4});
  const Tensor last = t.contiguous(MemoryFormat::channels_last);
  EXPECT_EQ(last.shape(), t.shape());
  EXPECT_EQ(last.strides(), (Shape{24, 1, 8, 2}));
  EXPECT_EQ(last.span<float>()[1], 12);
  EXPECT_EQ(last.str(), t.str());
  const Tensor back = last.contiguous();
  EXPECT_EQ(back.strides(), t.strides());
  EXPECT_TRUE(std::ranges::equal(back.span<float>(), t.span<float>()));
  EXPECT_EQ(last.to(float64).memory_format(), MemoryFormat::channels_last);
  EXPECT_THROW((void)Tensor::from({1, 2}).contiguous(MemoryFormat::channels_last), Error);
}

TEST(Tensor, RefusesBadShapesAndAccess) {
  EXPECT_THROW((void)Tensor::empty({-1}), Error);
  EXPECT_THROW((void)Tensor::empty({INT64_MAX, 2}), Error);
  EXPECT_THROW((void)Tensor::empty({1}, DType::undefined), Error);
  EXPECT_THROW((void)Tensor::from({1, 2}).span<int64_t>(), Error);
  EXPECT_THROW((void)Tensor::from({1, 2}).item(), Error);
  EXPECT_THROW((void)Tensor::from({1, 2}).reshape({3}), Error);
  EXPECT_THROW((void)Tensor::from({1, 2}).size(1), Error);
  EXPECT_THROW((void)Tensor().to(float16), Error);
  EXPECT_EQ(Tensor::from({1, 2}).size(-1), 2);
}

TEST(Tensor, FromBlobBorrows) {
  float data[2] = {1, 2};
  Tensor t = Tensor::from_blob(data, {2}, float32);
  t.mutable_span<float>()[0] = 5;
  EXPECT_EQ(data[0], 5);
}

// Expected texts printed by PyTorch 2.13.
TEST(Tensor, StridesOfEmptyTensorsDoNotOverflow) {
  const int64_t huge = int64_t{1} << 62;
  EXPECT_EQ(Tensor::zeros({0, huge, 8}).strides(), (Shape{INT64_MAX, 8, 1}));
}

TEST(TensorPrint, ManyAxesPrintTheirSizes) {
  const std::string text = Tensor::zeros(Shape(100000, 1)).str();
  EXPECT_EQ(text.substr(0, 30), "tensor(...,\n       size=(1, 1,");
}

TEST(TensorPrint, AsPyTorch) {
  const double kNan = std::nan(""), kInf = INFINITY;
  const auto f = [](std::vector<double> v, DType dtype = float32) {
    return Tensor::from(v).to(dtype);
  };
  struct Case {
    Tensor tensor;
    const char* text;
  };
  const Case kCases[] = {
      {Tensor::from({{1, 2, 3}, {4, 5, 6}}), "tensor([[1., 2., 3.],\n        [4., 5., 6.]])"},
      {f({1.5, 2.25, -3}), "tensor([ 1.5000,  2.2500, -3.0000])"},
      {f({1, kNan, kInf}), "tensor([1., nan, inf])"},
      {f({1.5, kNan, -kInf}), "tensor([1.5000,    nan,   -inf])"},
      {f({1e-5, 1}), "tensor([1.0000e-05, 1.0000e+00])"},
      {f({1e9, 1}), "tensor([1.0000e+09, 1.0000e+00])"},
      {f({1000.5, 0.5}), "tensor([1.0005e+03, 5.0000e-01])"},
      {f({100000, 1}), "tensor([1.0000e+05, 1.0000e+00])"},
      {f({0, 0}), "tensor([0., 0.])"},
      {f({1, 2}, float64), "tensor([1., 2.], dtype=torch.float64)"},
      {f({1, 2.5}, float16), "tensor([1.0000, 2.5000], dtype=torch.float16)"},
      {f({1, 2}, bfloat16), "tensor([1., 2.], dtype=torch.bfloat16)"},
      {f({1, -20, 300}, int64), "tensor([  1, -20, 300])"},
      {f({1, 2}, int32), "tensor([1, 2], dtype=torch.int32)"},
      {f({1, 0}, boolean), "tensor([ True, False])"},
      {f({250, 3}, uint8), "tensor([250,   3], dtype=torch.uint8)"},
      {Tensor::scalar(2.5f), "tensor(2.5000)"},
      {Tensor::from(std::vector<std::complex<float>>{{1, 2}, {-3, -4}}),
       "tensor([ 1.+2.j, -3.-4.j])"},
      {Tensor::from(std::vector<std::complex<float>>{{0.5f, -2}, {10, 0.25f}}),
       "tensor([ 0.5000-2.0000j, 10.0000+0.2500j])"},
      {Tensor::from(std::vector<std::complex<double>>{{1, 2}}),
       "tensor([1.+2.j], dtype=torch.complex128)"},
      {Tensor::scalar<int64_t>(7), "tensor(7)"},
      {Tensor::scalar(true), "tensor(True)"},
      {Tensor::zeros({0}), "tensor([])"},
      {Tensor::zeros({2, 0}), "tensor([], size=(2, 0))"},
      {Tensor::zeros({0}, int64), "tensor([], dtype=torch.int64)"},
      {Tensor::zeros({2, 0}, boolean), "tensor([], size=(2, 0), dtype=torch.bool)"},
      {Tensor::from({{{1, 2}, {3, 4}}, {{5, 6}, {7, 8}}}),
       "tensor([[[1., 2.],\n         [3., 4.]],\n\n        [[5., 6.],\n         [7., 8.]]])"},
      {arange(1001, {1001}), "tensor([   0.,    1.,    2.,  ...,  998.,  999., 1000.])"},
      {arange(1003, {1003}),
       "tensor([0.0000e+00, 1.0000e+00, 2.0000e+00,  ..., 1.0000e+03, 1.0010e+03,\n"
       "        1.0020e+03])"},
      {arange(30, {30}, int64),
       "tensor([ 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15, 16, 17,\n        "
       "18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29])"},
      {arange(10000, {100, 100}, int64),
       "tensor([[   0,    1,    2,  ...,   97,   98,   99],\n"
       "        [ 100,  101,  102,  ...,  197,  198,  199],\n"
       "        [ 200,  201,  202,  ...,  297,  298,  299],\n"
       "        ...,\n"
       "        [9700, 9701, 9702,  ..., 9797, 9798, 9799],\n"
       "        [9800, 9801, 9802,  ..., 9897, 9898, 9899],\n"
       "        [9900, 9901, 9902,  ..., 9997, 9998, 9999]])"},
  };
  for (const Case& c : kCases) EXPECT_EQ(c.tensor.str(), c.text);
  std::ostringstream stream;
  stream << Tensor::from({1});
  EXPECT_EQ(stream.str(), "tensor([1.])");
}

}  // namespace
}  // namespace ferry
