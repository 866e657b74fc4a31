#include "core/storage.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

namespace ferry {
namespace {

TEST(Storage, IsFilledOnceWhenItIsFirstRead) {
  std::atomic<int> fills = 0;
  auto source = std::make_shared<int>(7);
  std::weak_ptr<int> watch = source;
  int* from = source.get();
  auto fill = [&fills, from](void* to) {
    ++fills;
    std::memcpy(to, from, sizeof(int));
  };
  auto storage = std::make_unique<Storage>(sizeof(int), fill, std::move(source));
  EXPECT_TRUE(storage->read_only());
  EXPECT_EQ(storage->bytes(), sizeof(int));
  EXPECT_EQ(fills, 0);
  std::vector<std::thread> readers;
  for (int i = 0; i < 4; ++i) {
    readers.emplace_back([&] { EXPECT_EQ(*static_cast<int*>(storage->data()), 7); });
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(fills, 1);
  EXPECT_FALSE(watch.expired());
  storage.reset();
  EXPECT_TRUE(watch.expired());
}

TEST(Storage, LetsAFailedFillBeTriedAgain) {
  bool fails = true;
  auto fill = [&](void* to) {
    if (fails) throw std::runtime_error("no");
    std::memset(to, 1, 4);
  };
  Storage storage(4, fill, nullptr);
  EXPECT_THROW(storage.data(), std::runtime_error);
  fails = false;
  EXPECT_EQ(*static_cast<char*>(storage.data()), 1);
}

}  // namespace
}  // namespace ferry
