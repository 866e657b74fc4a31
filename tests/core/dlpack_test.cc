#include "core/dlpack.h"

#include <gmock/gmock.h>

#include <functional>
#include <memory>
#include <thread>

#include "ferry/cuda.h"
#include "ferry/error.h"
#include "ferry/tensor.h"

namespace ferry {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A tensor as another library would hand it over.
struct Foreign {
  std::vector<float> data;
  Shape shape, strides;
  int deleted = 0;
  DLManagedTensorVersioned managed{};

  explicit Foreign(Shape sizes, Shape steps = {}) : shape(std::move(sizes)), strides(steps) {
    data.resize(64);
    for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<float>(i);
    managed.version = {1, 0};
    managed.manager_ctx = this;
    managed.deleter = [](DLManagedTensorVersioned* self) {
      ++static_cast<Foreign*>(self->manager_ctx)->deleted;
    };
    managed.dl_tensor = {data.data(),
                         {kDLCPU, 0},
                         static_cast<int32_t>(shape.size()),
                         {kDLFloat, 32, 1},
                         shape.data(),
                         strides.empty() ? nullptr : strides.data(),
                         0};
  }
};

TEST(DLPack, ImportSharesTheElementsAndGivesThemBackOnce) {
  Foreign foreign({2, 3});
  {
    Tensor tensor = Tensor::from_dlpack(&foreign.managed);
    const Tensor copy = tensor;
    EXPECT_EQ(tensor.data(), foreign.data.data());
    EXPECT_EQ(tensor.str(), "tensor([[0., 1., 2.],\n        [3., 4., 5.]])");
    tensor.mutable_span<float>()[0] = 7;
    tensor = Tensor();
    EXPECT_EQ(foreign.deleted, 0);
    EXPECT_EQ(foreign.data[0], 7);
    EXPECT_EQ(copy.span<float>()[0], 7);
  }
  EXPECT_EQ(foreign.deleted, 1);
}

TEST(DLPack, ImportWithoutADeleterBorrows) {
  Foreign foreign({4});
  foreign.managed.deleter = nullptr;
  EXPECT_EQ(Tensor::from_dlpack(&foreign.managed).numel(), 4);
}

TEST(DLPack, ImportReadsOffsetsStridesAndFlags) {
  Foreign offset({2});
  offset.managed.dl_tensor.byte_offset = 12;
  EXPECT_THAT(Tensor::from_dlpack(&offset.managed).span<float>(), ElementsAre(3, 4));

  Foreign row_major({2, 3, 4}, {12, 4, 1});
  EXPECT_EQ(Tensor::from_dlpack(&row_major.managed).memory_format(), MemoryFormat::contiguous);
  // Strides of axes of one element mean nothing; so do all strides when there is no element.
  Foreign ones({1, 3, 1}, {99, 1, -5});
  EXPECT_THAT(Tensor::from_dlpack(&ones.managed).span<float>(), ElementsAre(0, 1, 2));
  Foreign none({2, 0}, {77, 77});
  none.managed.dl_tensor.data = nullptr;
  EXPECT_EQ(Tensor::from_dlpack(&none.managed).numel(), 0);
  Foreign scalar({});
  EXPECT_EQ(Tensor::from_dlpack(&scalar.managed).shape(), Shape{});

  Foreign nhwc({1, 2, 2, 2}, {8, 1, 4, 2});
  const Tensor tensor = Tensor::from_dlpack(&nhwc.managed);
  EXPECT_EQ(tensor.memory_format(), MemoryFormat::channels_last);
  EXPECT_THAT(tensor.contiguous().span<float>(), ElementsAre(0, 2, 4, 6, 1, 3, 5, 7));

  Foreign fixed({3});
  fixed.managed.flags = kDLPackReadOnly;
  Tensor constant = Tensor::from_dlpack(&fixed.managed);
  EXPECT_THROW((void)constant.mutable_span<float>(), Error);
  EXPECT_EQ(constant.clone().mutable_span<float>().size(), 3u);

  Foreign pinned({3});
  pinned.managed.dl_tensor.device = {kDLCUDAHost, 0};
  EXPECT_TRUE(Tensor::from_dlpack(&pinned.managed).is_pinned());
}

TEST(DLPack, RefusedTensorsStayTheCallers) {
  struct Case {
    const char* text;
    ErrorCode code;
    std::function<void(Foreign&)> spoil;
    Shape shape{2, 3}, strides{};
  };
  const auto tensor = [](auto change) {
    return [change](Foreign& foreign) { change(foreign.managed.dl_tensor); };
  };
  const Case kCases[] = {
      {"4 lanes", ErrorCode::unsupported, tensor([](DLTensor& t) { t.dtype.lanes = 4; })},
      {"0 lanes", ErrorCode::unsupported, tensor([](DLTensor& t) { t.dtype.lanes = 0; })},
      {"code 3 and 64 bits", ErrorCode::unsupported, tensor([](DLTensor& t) {
         t.dtype = {3, 64, 1};
       })},
      {"code 2 and 128 bits", ErrorCode::unsupported,
       tensor([](DLTensor& t) { t.dtype.bits = 128; })},
      {"device type 4", ErrorCode::unsupported,
       tensor([](DLTensor& t) { t.device.device_type = static_cast<DLDeviceType>(4); })},
      {"device type 13", ErrorCode::unsupported,
       tensor([](DLTensor& t) { t.device.device_type = kDLCUDAManaged; })},
      {"cuda:99", ErrorCode::device_missing, tensor([](DLTensor& t) {
         t.device = {kDLCUDA, 99};
       })},
      {"cuda:-1", ErrorCode::device_missing, tensor([](DLTensor& t) {
         t.device = {kDLCUDA, -1};
       })},
      {"data is null", ErrorCode::invalid_argument, tensor([](DLTensor& t) { t.data = nullptr; })},
      {"not aligned to 4", ErrorCode::invalid_argument,
       tensor([](DLTensor& t) { t.byte_offset = 2; })},
      {"-1 axes", ErrorCode::invalid_argument, tensor([](DLTensor& t) { t.ndim = -1; })},
      {"no shape", ErrorCode::invalid_argument, tensor([](DLTensor& t) { t.shape = nullptr; })},
      {"negative size", ErrorCode::invalid_argument, [](Foreign&) {}, {2, -3}},
      {"2^63", ErrorCode::invalid_argument, [](Foreign&) {}, {int64_t{1} << 40, int64_t{1} << 40}},
      {"strides [1, 2] of shape [2, 3]", ErrorCode::unsupported, [](Foreign&) {}, {2, 3}, {1, 2}},
      {"neither row-major", ErrorCode::unsupported, [](Foreign&) {}, {2, 3}, {6, 2}},
      {"neither row-major", ErrorCode::unsupported, [](Foreign&) {}, {2, 3}, {0, 1}},
      {"neither row-major", ErrorCode::unsupported, [](Foreign&) {}, {2, 3}, {-3, 1}},
      {"version 2.0", ErrorCode::unsupported,
       [](Foreign& f) {
         f.managed.version = {2, 0};
       }},
      {"packed, not padded", ErrorCode::unsupported,
       [](Foreign& f) {
         f.managed.dl_tensor.dtype = {kDLInt, 4, 1};
         f.managed.flags = kDLPackSubbyteTypePadded;
       }},
  };
  for (const Case& c : kCases) {
    Foreign foreign(c.shape, c.strides);
    c.spoil(foreign);
    try {
      (void)Tensor::from_dlpack(&foreign.managed);
      ADD_FAILURE() << c.text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), c.code) << error.what();
      EXPECT_THAT(error.what(), HasSubstr(c.text));
    }
    EXPECT_EQ(foreign.deleted, 0) << c.text;
  }
  EXPECT_THROW((void)Tensor::from_dlpack(nullptr), Error);
}

TEST(DLPack, RoundTripsEveryTypeButStrings) {
  for (int i = 1; i < kDTypeCount; ++i) {
    const auto dtype = static_cast<DType>(i);
    if (dtype == DType::string) continue;
    const Tensor in = Tensor::zeros({3, 5}, dtype);
    DLManagedTensorVersioned* managed = in.to_dlpack();
    EXPECT_EQ(managed->dl_tensor.dtype.bits, dtype_bits(dtype));
    const Tensor out = Tensor::from_dlpack(managed);
    EXPECT_EQ(out.dtype(), dtype);
    EXPECT_EQ(out.shape(), in.shape());
    EXPECT_EQ(out.data(), in.data()) << to_string(dtype);
    EXPECT_EQ(out.nbytes(), in.nbytes());
  }
}

TEST(DLPack, ExportKeepsTheElementsAlive) {
  DLManagedTensorVersioned* managed = nullptr;
  {
    const Tensor tensor = Tensor::from({{1, 2}, {3, 4}});
    managed = tensor.to_dlpack();
  }
  const DLTensor& tensor = managed->dl_tensor;
  EXPECT_EQ(managed->version.major, 1u);
  EXPECT_EQ(managed->flags, 0u);
  EXPECT_EQ(tensor.device.device_type, kDLCPU);
  ASSERT_EQ(tensor.ndim, 2);
  EXPECT_EQ(tensor.shape[1], 2);
  EXPECT_EQ(tensor.strides[0], 2);
  EXPECT_EQ(static_cast<float*>(tensor.data)[3], 4);
  managed->deleter(managed);

  const Tensor nhwc = Tensor::zeros({1, 2, 3, 4}).contiguous(MemoryFormat::channels_last);
  managed = nhwc.to_dlpack();
  EXPECT_EQ(managed->dl_tensor.strides[1], 1);
  std::thread([managed] { managed->deleter(managed); }).join();
}

TEST(DLPack, ExportKeepsReadOnly) {
  Foreign foreign({3});
  foreign.managed.flags = kDLPackReadOnly;
  DLManagedTensorVersioned* managed = Tensor::from_dlpack(&foreign.managed).to_dlpack();
  EXPECT_EQ(managed->flags & kDLPackReadOnly, kDLPackReadOnly);
  EXPECT_EQ(foreign.deleted, 0);
  managed->deleter(managed);
  EXPECT_EQ(foreign.deleted, 1);
}

TEST(DLPack, ExportRefuses) {
  const std::pair<Tensor, const char*> kCases[] = {
      {Tensor(), "undefined"},
      {Tensor::from(std::vector<std::string>{"a"}), "no type for string"},
      {Tensor::zeros({2}).to(Device("sim:0")), "emulated GPU"},
  };
  for (const auto& [tensor, text] : kCases) {
    try {
      (void)tensor.to_dlpack();
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr(text));
    }
  }
}

// Memory of a GPU is shared where there is one, and refused where there is none.
TEST(DLPack, KnowsGpus) {
  if (cuda::is_available()) {
    const Tensor in = Tensor::from({1, 2, 3}).cuda();
    const Tensor out = Tensor::from_dlpack(in.to_dlpack());
    EXPECT_EQ(out.device(), Device("cuda:0"));
    EXPECT_EQ(out.data(), in.data());
    EXPECT_THAT(out.cpu().span<float>(), ElementsAre(1, 2, 3));
    return;
  }
  const std::unique_ptr<DLManagedTensorVersioned, void (*)(DLManagedTensorVersioned*)> managed(
      Tensor::from({1, 2, 3}).to_dlpack(), [](auto* tensor) { tensor->deleter(tensor); });
  managed->dl_tensor.device = {kDLCUDA, 0};
  try {
    (void)Tensor::from_dlpack(managed.get());
    ADD_FAILURE() << "expected an Error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::device_missing);
  }
}

}  // namespace
}  // namespace ferry
