#include "core/storage.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace ferry {
namespace {

// A weight of 4 bytes, `offset` bytes into a file.
struct Weight {
  explicit Weight(size_t offset) : file(std::make_shared<std::vector<uint8_t>>(64)), watch(file) {
    const int value = 7;
    std::memcpy(file->data() + offset, &value, sizeof value);
    const Bytes bytes = Bytes(*file).subspan(offset, sizeof value);
    storage = Storage::of_file(bytes, alignof(int), std::move(file), /*mapped=*/false);
  }
  std::shared_ptr<std::vector<uint8_t>> file;
  std::weak_ptr<std::vector<uint8_t>> watch;
  std::shared_ptr<Storage> storage;
};

TEST(Storage, ShowsAlignedBytesOfAFileWhereTheyLie) {
  Weight weight(8);
  EXPECT_TRUE(weight.storage->read_only());
  EXPECT_EQ(weight.storage->data(), weight.watch.lock()->data() + 8);
  EXPECT_EQ(weight.storage->unaligned(), weight.storage->data());
}

TEST(Storage, CopiesOtherBytesOnceWhenTheyAreFirstRead) {
  Weight weight(5);
  EXPECT_EQ(weight.storage->bytes(), sizeof(int));
  EXPECT_EQ(weight.storage->unaligned(), weight.watch.lock()->data() + 5);
  std::vector<std::thread> readers;
  std::atomic<void*> seen = nullptr;
  for (int i = 0; i < 4; ++i) {
    readers.emplace_back([&] {
      void* data = weight.storage->data();
      EXPECT_EQ(*static_cast<int*>(data), 7);
      void* before = seen.exchange(data);
      EXPECT_TRUE(before == nullptr || before == data);
    });
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(weight.storage->unaligned(), weight.storage->data());
  EXPECT_FALSE(weight.watch.expired());
  weight.storage.reset();
  EXPECT_TRUE(weight.watch.expired());
}

TEST(Storage, GivesPagesOfAMappingBackAndReadsThemAgain) {
  const std::string path = testing::TempDir() + "/storage_pages";
  std::ofstream(path, std::ios::binary) << std::string(1 << 20, 'x');
  MappedFile file = map_file(path);
  const auto storage = Storage::of_file(file.bytes, 1, file.owner, /*mapped=*/true);
  EXPECT_EQ(static_cast<char*>(storage->data())[5000], 'x');
  storage->release_pages();
  EXPECT_EQ(static_cast<char*>(storage->data())[5000], 'x');
  Weight(8).storage->release_pages();  // not mapped: nothing happens
}

TEST(Storage, AlignsLargeMemoryToLargePages) {
  const auto storage = allocate_host(size_t{5} << 20);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(storage->data()) % (size_t{2} << 20), 0u);
}

}  // namespace
}  // namespace ferry
