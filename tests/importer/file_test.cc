// Model files and the files beside them.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "core/storage.h"
#include "importer/format/wire.h"
#include "tests/importer/import_testing.h"

namespace ferry {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::ModelBuilder;

class Files : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "ferry_files_XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    fs::create_directory(root_ / "model");
    write("model/weights.bin", std::string("\0\0\x80\x3f\0\0\0\x40", 8));
    write("secret.bin", std::string(64, 's'));
  }
  void TearDown() override { fs::remove_all(root_); }

  void write(const fs::path& name, const std::string& bytes) {
    std::ofstream(root_ / name, std::ios::binary) << bytes;
  }

  // A model whose only weight, float32[2], is in an external file.
  using Entries = std::vector<std::pair<std::string, std::string>>;
  std::string model(const Entries& entries) {
    ModelBuilder model;
    model.output("w", float32, {2});
    onnx::TensorProto* tensor = model.graph()->add_initializer();
    tensor->set_name("w");
    tensor->set_data_type(1);
    tensor->add_dims(2);
    tensor->set_data_location(1);
    for (const auto& [key, value] : entries) {
      auto* entry = tensor->add_external_data();
      entry->set_key(key);
      entry->set_value(value);
    }
    write("model/m.onnx", model.bytes());
    return root_ / "model/m.onnx";
  }

  std::string refusal(const std::string& path, const ImportOptions& options = {}) {
    std::vector<Problem> problems = check_model(path, options);
    std::string text;
    for (const Problem& problem : problems) {
      text += std::string(to_string(problem.code)) + ": " + problem.message + "\n";
    }
    return text;
  }

  fs::path root_;
};

TEST_F(Files, ExternalDataIsViewedWhereItLies) {
  Graph graph = import_model(model({{"location", "weights.bin"}}));
  const Tensor& weight = graph.value(graph.find_value("w")).constant;
  EXPECT_THAT(weight.span<float>(), ::testing::ElementsAre(1, 2));
  EXPECT_TRUE(weight.storage()->read_only());
  // The mapping outlives the file's name.
  fs::remove_all(root_ / "model");
  EXPECT_EQ(weight.span<float>()[1], 2);
}

TEST_F(Files, ExternalDataHasOffsetsAndFolders) {
  fs::create_directory(root_ / "model/data");
  write("model/data/w", std::string(16, '\xff') + std::string("\0\0\x80\x3f\0\0\0\x40", 8));
  Graph graph = import_model(
      model({{"location", "./data//w"}, {"offset", "16"}, {"length", "8"}, {"checksum", "0"}}));
  EXPECT_THAT(graph.value(0).constant.span<float>(), ::testing::ElementsAre(1, 2));
  ImportOptions elsewhere;
  elsewhere.data_folder = root_ / "model/data";
  graph = import_model(model({{"location", "w"}, {"offset", "16"}}), elsewhere);
  EXPECT_THAT(graph.value(0).constant.span<float>(), ::testing::ElementsAre(1, 2));
}

TEST_F(Files, ExternalDataStaysInItsFolder) {
  fs::create_symlink("../secret.bin", root_ / "model/link.bin");
  fs::create_symlink("..", root_ / "model/up");
  fs::create_symlink("weights.bin", root_ / "model/inside.bin");
  fs::create_hard_link(root_ / "secret.bin", root_ / "model/hard.bin");
  fs::create_directory(root_ / "model/folder");
  ASSERT_EQ(mkfifo((root_ / "model/pipe").c_str(), 0600), 0);
  struct Case {
    Entries entries;
    const char* message;
  };
  const Case cases[] = {
      {{{"location", "../secret.bin"}}, "'..' leads out"},
      {{{"location", "folder/../../secret.bin"}}, "'..' leads out"},
      {{{"location", "folder/.."}}, "'..' leads out"},
      {{{"location", root_ / "secret.bin"}}, "must be relative"},
      {{{"location", "link.bin"}}, "it is a symbolic link"},
      {{{"location", "inside.bin"}}, "it is a symbolic link"},
      {{{"location", "up/secret.bin"}}, "it is a symbolic link, or lies behind one"},
      {{{"location", "hard.bin"}}, "further names"},
      {{{"location", "folder"}}, "a folder, a file is needed"},
      {{{"location", "."}}, "the location is a folder"},
      {{{"location", "pipe"}}, "not a regular file"},
      {{{"location", "missing.bin"}}, "there is no such file"},
      {{{"location", "weights.bin/x"}}, "there is no such file"},
      {{{"location", ""}}, "the location is empty"},
      {{}, "the location is empty"},
      {{{"location", std::string("weights.bin\0x", 13)}}, "holds a zero byte"},
      {{{"location", std::string(100000, 'a')}}, "too long"},
      {{{"location", "weights.bin"}, {"offset", "1"}},
       "8 bytes from offset 1 on are wanted and the file has 8"},
      {{{"location", "weights.bin"}, {"offset", "-1"}}, "a number of bytes is needed"},
      {{{"location", "weights.bin"}, {"offset", "18446744073709551615"}}, "are wanted"},
      {{{"location", "weights.bin"}, {"offset", "99999999999999999999"}}, "a number of bytes"},
      {{{"location", "weights.bin"}, {"offset", " 0"}}, "a number of bytes"},
      {{{"location", "weights.bin"}, {"length", "4"}}, "needs 8 bytes and its length says 4"},
      {{{"location", "weights.bin"}, {"length", "12"}}, "needs 8 bytes and its length says 12"},
  };
  for (const Case& c : cases) {
    std::string text = refusal(model(c.entries));
    EXPECT_THAT(text, HasSubstr(c.message));
    EXPECT_THAT(text, HasSubstr("external_data: initializer 'w': "));
  }
}

TEST_F(Files, LinksAreFollowedBelowTheLinkRoot) {
  fs::create_directories(root_ / "cache/blobs");
  fs::rename(root_ / "model/weights.bin", root_ / "cache/blobs/abc");
  fs::create_symlink("../cache/blobs/abc", root_ / "model/weights.bin");
  fs::create_symlink("../secret.bin", root_ / "model/out.bin");
  ImportOptions options;
  options.link_root = root_ / "cache";
  EXPECT_EQ(refusal(model({{"location", "weights.bin"}}), options), "");
  EXPECT_THAT(refusal(model({{"location", "out.bin"}}), options),
              HasSubstr("not below the link root"));
  EXPECT_THAT(refusal(model({{"location", "../secret.bin"}}), options), HasSubstr("'..'"));
  options.link_root = root_ / "cache/blob";  // a prefix of a name is no folder
  EXPECT_THAT(refusal(model({{"location", "weights.bin"}}), options),
              HasSubstr("not below the link root"));
}

TEST_F(Files, NotAFile) {
  EXPECT_THAT(refusal(root_ / "none.onnx"), HasSubstr("io: '"));
  EXPECT_THAT(refusal(root_ / "none.onnx"), HasSubstr("No such file"));
  EXPECT_THAT(refusal(root_ / "model"), HasSubstr("is a folder, a file is needed"));
  ASSERT_EQ(mkfifo((root_ / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(refusal(root_ / "pipe"), HasSubstr("not a regular file"));
  write("empty.onnx", "");
  EXPECT_THAT(refusal(root_ / "empty.onnx"), HasSubstr("encoding: the file is empty"));
  try {
    import_model(root_ / "none.onnx");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::not_found);
  }
}

TEST_F(Files, ThreeGigabytesOfZerosAreRefusedAtOnce) {
  write("zeros.onnx", "");
  fs::resize_file(root_ / "zeros.onnx", uintmax_t{3} << 30);
  EXPECT_THAT(refusal(root_ / "zeros.onnx"), HasSubstr("encoding: "));
}

// A tensor of 3 GiB in the model file itself, beyond what protobuf reads. Nothing of it is touched:
// the file has a hole there.
TEST_F(Files, ModelsMayPassTwoGigabytes) {
  constexpr uint64_t kElements = uint64_t{3} << 28, kBytes = kElements * 4;
  ModelBuilder model;
  model.graph()->set_name("");
  std::string file;
  // The length of the name puts the elements where their type may be.
  for (std::string name = "w"; file.empty() || file.size() % 4 != 0; name += "w") {
    model.graph()->clear_output();
    model.output(name, float32, {static_cast<int>(kElements)});
    std::string tensor = "\x08";
    write_varint(tensor, kElements);
    tensor += "\x10\x01\x42";
    write_varint(tensor, name.size());
    tensor += name + "\x4a";
    write_varint(tensor, kBytes);
    std::string graph = "\x2a";
    write_varint(graph, tensor.size() + kBytes);
    graph += tensor;
    file = model.bytes() + "\x3a";  // a second part of the graph, which protobuf merges
    write_varint(file, graph.size() + kBytes);
    file += graph;
  }
  write("large.onnx", file);
  fs::resize_file(root_ / "large.onnx", file.size() + kBytes);
  Graph graph = import_model(root_ / "large.onnx");
  EXPECT_EQ(graph.value(graph.outputs()[0]).constant.nbytes(), kBytes);
  ImportOptions options;
  options.limits.tensor_bytes = int64_t{1} << 30;
  EXPECT_THAT(refusal(root_ / "large.onnx", options), HasSubstr("a tensor has 3221225472 bytes"));
}

}  // namespace
}  // namespace ferry
