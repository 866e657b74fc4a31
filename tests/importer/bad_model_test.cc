// Models that are wrong: each is refused, with the code and the words that say why.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "tests/importer/import_testing.h"

namespace ferry {
namespace {

using testing::add_node;
using testing::GraphProtoBuilder;
using ::testing::HasSubstr;
using testing::ModelBuilder;
using testing::NodeBuilder;

std::vector<Problem> check(const std::string& bytes, const ImportOptions& options = {}) {
  return check_model(testing::as_bytes(bytes), options);
}

std::string describe(const std::vector<Problem>& problems) {
  std::string text;
  for (const Problem& problem : problems) {
    text += std::string(to_string(problem.code)) + " " + problem.node + " (" + problem.op + ") x" +
            std::to_string(problem.count) + ": " + problem.message + "\n";
  }
  return text;
}

struct Case {
  const char* what;
  // Starts from x: float32[2] -> Relu -> y, opset 21.
  std::function<void(ModelBuilder&)> spoil;
  ProblemCode code;
  const char* message;
};

void run(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    ModelBuilder model;
    model.input("x", float32, {2}).output("y", float32, {2});
    model.node("Relu", {"x"}, {"y"}).name("relu");
    ASSERT_TRUE(check(model.bytes()).empty()) << "the start is not right";
    c.spoil(model);
    std::vector<Problem> problems = check(model.bytes());
    ASSERT_FALSE(problems.empty()) << c.what;
    EXPECT_EQ(problems[0].code, c.code) << c.what << "\n" << describe(problems);
    EXPECT_THAT(describe(problems), HasSubstr(c.message)) << c.what;
    EXPECT_EQ(problems.size(), 1u) << c.what << "\n" << describe(problems);
    EXPECT_THROW(testing::import_bytes(model.bytes()), Error) << c.what;
  }
}

onnx::NodeProto* relu(ModelBuilder& model) { return model.graph()->mutable_node(0); }

TEST(BadModel, Header) {
  run({
      {"no opset", [](auto& m) { m.proto().clear_opset_import(); }, ProblemCode::opset,
       "does not say which opset"},
      {"opset 0", [](auto& m) { m.proto().mutable_opset_import(0)->set_version(0); },
       ProblemCode::opset, "opset 0 of ai.onnx does not exist"},
      {"negative opset", [](auto& m) { m.proto().mutable_opset_import(0)->set_version(-3); },
       ProblemCode::opset, "opset -3 of ai.onnx does not exist"},
      {"opset from the future",
       [](auto& m) { m.proto().mutable_opset_import(0)->set_version(9999); }, ProblemCode::opset,
       "opset 9999 of ai.onnx is newer than what Ferry knows, which is 28"},
      {"two opsets", [](auto& m) { m.import("ai.onnx", 13); }, ProblemCode::opset,
       "ai.onnx is imported at opset 21 and at opset 13"},
      {"IR from the future", [](auto& m) { m.proto().set_ir_version(15); }, ProblemCode::ir_version,
       "IR version 15"},
      {"IR too old", [](auto& m) { m.proto().set_ir_version(2); }, ProblemCode::ir_version,
       "IR version 2"},
      {"no graph", [](auto& m) { m.proto().clear_graph(); }, ProblemCode::encoding,
       "no graph in the file"},
      {"no outputs", [](auto& m) { m.graph()->clear_output(); }, ProblemCode::name, "no outputs"},
  });
}

TEST(BadModel, Names) {
  run({
      {"dangling input", [](auto& m) { relu(m)->set_input(0, "ghost"); }, ProblemCode::name,
       "name relu (Relu) x1: it reads 'ghost', which nothing writes"},
      {"dangling output", [](auto& m) { m.output("ghost", float32); }, ProblemCode::name,
       "nothing writes the graph output 'ghost'"},
      {"written twice", [](auto& m) { m.node("Relu", {"x"}, {"y"}).name("again"); },
       ProblemCode::name, "the value 'y' is defined twice"},
      {"written over an input", [](auto& m) { m.node("Relu", {"x"}, {"x"}).name("again"); },
       ProblemCode::name, "the value 'x' is defined twice"},
      {"two inputs", [](auto& m) { m.input("x", float32, {2}); }, ProblemCode::name,
       "two inputs 'x'"},
      {"two outputs", [](auto& m) { m.output("y", float32, {2}); }, ProblemCode::name,
       "two outputs 'y'"},
      {"two initializers",
       [](auto& m) {
         m.template initializer<float>("w", {1}, {1}).template initializer<float>("w", {1}, {1});
       },
       ProblemCode::name, "initializer 'w': the value 'w' is defined twice"},
      {"no initializer name", [](auto& m) { m.template initializer<float>("", {1}, {1}); },
       ProblemCode::name, "an initializer has no name"},
      {"no input name", [](auto& m) { m.input("", float32); }, ProblemCode::name,
       "an input has no name"},
      {"not UTF-8", [](auto& m) { m.node("Relu", {"x"}, {"\xff\xfe"}).name("n"); },
       ProblemCode::name, "the name '\\xff\\xfe' is not UTF-8"},
      {"operator is not UTF-8", [](auto& m) { m.node("\xff", {"x"}, {"z"}).name("n"); },
       ProblemCode::name, "the operator's name is not UTF-8"},
      {"wrong order",
       [](auto& m) {
         m.node("Relu", {"late"}, {"z"}).name("early");
         m.node("Relu", {"x"}, {"late"}).name("writer");
       },
       ProblemCode::order, "early (Relu) x1: it reads 'late', which node 'writer' writes later"},
      {"shadowing in a body",
       [](auto& m) {
         m.input("c", boolean);
         NodeBuilder n = m.node("If", {"c"}, {"z"}).name("if");
         for (const char* branch : {"then_branch", "else_branch"}) {
           GraphProtoBuilder body(n.graph(branch));
           std::string out = std::string(branch) == "then_branch" ? "y" : "fine";
           body.node("Neg", {"x"}, {out}).name("neg");
           body.untyped_output(out);
         }
       },
       ProblemCode::name, "if/then_branch/neg (Neg) x1: the value 'y' is defined twice"},
      {"a body's value from outside",
       [](auto& m) {
         m.input("c", boolean);
         NodeBuilder n = m.node("If", {"c"}, {"z"}).name("if");
         for (const char* branch : {"then_branch", "else_branch"}) {
           GraphProtoBuilder body(n.graph(branch));
           body.node("Neg", {"x"}, {std::string("inside_") + branch});
           body.untyped_output(std::string("inside_") + branch);
         }
         m.node("Relu", {"inside_then_branch"}, {"w"}).name("outside");
       },
       ProblemCode::name, "outside (Relu) x1: it reads 'inside_then_branch', which nothing writes"},
  });
}

TEST(BadModel, Cycles) {
  ModelBuilder model;
  model.input("x", float32, {2}).output("b", float32, {2});
  model.node("Add", {"x", "b"}, {"a"}).name("one");
  model.node("Relu", {"a"}, {"b"}).name("two");
  std::vector<Problem> problems = check(model.bytes());
  ASSERT_EQ(problems.size(), 1u) << describe(problems);
  EXPECT_EQ(problems[0].code, ProblemCode::cycle);
  EXPECT_EQ(problems[0].node, "one");

  ModelBuilder self;
  self.input("x", float32, {2}).output("a", float32, {2});
  self.node("Add", {"x", "a"}, {"a"}).name("one");
  EXPECT_EQ(check(self.bytes())[0].code, ProblemCode::cycle);
}

TEST(BadModel, Operators) {
  run({
      {"misspelt", [](auto& m) { relu(m)->set_op_type("Rellu"); }, ProblemCode::unknown_operator,
       "does not know the operator 'Rellu'. Did you mean 'Relu'?"},
      {"unknown domain", [](auto& m) { relu(m)->set_domain("com.acme"); },
       ProblemCode::unknown_operator, "no operator of the domain 'com.acme'"},
      {"not yet there",
       [](auto& m) {
         m.proto().mutable_opset_import(0)->set_version(13);
         relu(m)->set_op_type("Gelu");
       },
       ProblemCode::operator_version, "exists from opset 20 on, the model imports 13"},
      {"gone",
       [](auto& m) {
         relu(m)->set_op_type("Upsample");
         relu(m)->add_input("x");
       },
       ProblemCode::operator_version, "was removed in opset 10, the model imports 21"},
      {"domain without opset",
       [](auto& m) {
         relu(m)->set_domain("ai.onnx.ml");
         relu(m)->set_op_type("Binarizer");
       },
       ProblemCode::opset, "the domain 'ai.onnx.ml' is used and no opset of it is imported"},
      {"too few inputs", [](auto& m) { relu(m)->clear_input(); }, ProblemCode::arity,
       "there are 0 inputs, opset 21 takes 1"},
      {"too many inputs", [](auto& m) { relu(m)->add_input("x"); }, ProblemCode::arity,
       "there are 2 inputs, opset 21 takes 1"},
      {"a bias of MatMul",
       [](auto& m) {
         m.node("MatMul", {"x", "x", "x"}, {"z"}).name("matmul");
       },
       ProblemCode::arity, "there are 3 inputs, opset 21 takes 2"},
      {"too many outputs", [](auto& m) { relu(m)->add_output("z"); }, ProblemCode::arity,
       "there are 2 outputs, opset 21 gives 1"},
      {"left out", [](auto& m) { relu(m)->set_input(0, ""); }, ProblemCode::arity,
       "input 0 is left out, it is not optional"},
      {"left out of many",
       [](auto& m) {
         m.node("Max", {"x", "", "x"}, {"z"}).name("max");
       },
       ProblemCode::arity, "input 1 is left out, it is not optional"},
      {"Scan of nothing",
       [](auto& m) {
         NodeBuilder n = m.node("Scan", {"", "x"}, {"z"}).name("scan").attr("num_scan_inputs", 1);
         GraphProtoBuilder(n.graph("body"))
             .untyped_input("v")
             .untyped_input("w")
             .untyped_output("v");
       },
       ProblemCode::arity, "an input is left out, none is optional"},
      {"a limit on text",
       [](auto& m) {
         m.proto().mutable_opset_import(0)->set_version(6);
         m.input("t", string, {2});
         m.node("Clip", {"t"}, {"z"}).name("clip").attr("max", 1.f);
       },
       ProblemCode::type, "the data has type string, a number is needed"},
      {"If without outputs",
       [](auto& m) {
         m.input("c", boolean);
         NodeBuilder n = m.node("If", {"c"}, {"z"}).name("if");
         n.graph("then_branch");
         n.graph("else_branch");
       },
       ProblemCode::arity, "then_branch has 0 inputs and 0 outputs, the node needs 0 and 1"},
      {"Loop body without condition",
       [](auto& m) {
         NodeBuilder n = m.node("Loop", {"", "", "x"}, {"z"}).name("loop");
         GraphProtoBuilder body(n.graph("body"));
         body.input("i", int64).input("go", boolean).untyped_input("v").untyped_output("v");
       },
       ProblemCode::arity, "body has 3 inputs and 1 outputs, the node needs 3 and 2"},
      {"Scan of too much",
       [](auto& m) {
         NodeBuilder n = m.node("Scan", {"x"}, {"z"}).name("scan").attr("num_scan_inputs", 5);
         GraphProtoBuilder(n.graph("body")).untyped_input("v").untyped_output("v");
       },
       ProblemCode::attribute, "'num_scan_inputs' is 5, the node has 1 inputs"},
  });
}

TEST(BadModel, Attributes) {
  auto gemm = [](const std::function<void(NodeBuilder)>& spoil) {
    return [=](ModelBuilder& m) { spoil(m.node("Gemm", {"x", "x"}, {"z"}).name("gemm")); };
  };
  auto conv = [](const std::function<void(NodeBuilder)>& spoil) {
    return [=](ModelBuilder& m) { spoil(m.node("Conv", {"x", "x"}, {"z"}).name("conv")); };
  };
  run({
      {"unknown", gemm([](NodeBuilder n) { n.attr("alpah", 1.f); }), ProblemCode::attribute,
       "there is no attribute 'alpah'. Did you mean 'alpha'?"},
      {"an activation", conv([](NodeBuilder n) { n.attr("activation", "Relu"); }),
       ProblemCode::attribute, "there is no attribute 'activation'"},
      {"an activation's numbers",
       gemm([](NodeBuilder n) { n.attr("activation_params", std::vector<float>{1}); }),
       ProblemCode::attribute, "there is no attribute 'activation_params'"},
      {"of an older opset", gemm([](NodeBuilder n) { n.attr("broadcast", 1); }),
       ProblemCode::attribute, "'broadcast' exists up to opset 6, the model imports 21"},
      {"of a newer opset",
       [](ModelBuilder& m) {
         m.node("Cast", {"x"}, {"z"}).name("cast").attr("to", 1).attr("round_mode", "up");
       },
       ProblemCode::attribute, "'round_mode' exists from opset 24 on, the model imports 21"},
      {"missing", [](ModelBuilder& m) { m.node("Concat", {"x"}, {"z"}).name("c"); },
       ProblemCode::attribute, "'axis' is missing, it has no default"},
      {"of the wrong type", gemm([](NodeBuilder n) { n.attr("alpha", 1); }), ProblemCode::attribute,
       "'alpha' has type int, it must be float"},
      {"with two values",
       gemm([](NodeBuilder n) { n.attr("alpha", 1.f).proto()->mutable_attribute(0)->set_i(1); }),
       ProblemCode::attribute, "'alpha' of type float holds a value of type int"},
      {"given twice", gemm([](NodeBuilder n) { n.attr("alpha", 1.f).attr("alpha", 1.f); }),
       ProblemCode::attribute, "'alpha' is given twice"},
      {"flag 2", gemm([](NodeBuilder n) { n.attr("transA", 2); }), ProblemCode::attribute,
       "'transA' is 2, it must be 0 to 1"},
      {"enum", conv([](NodeBuilder n) { n.attr("auto_pad", "SAME"); }), ProblemCode::attribute,
       "'auto_pad' is 'SAME', it must be one of NOTSET, SAME_UPPER, SAME_LOWER, VALID"},
      {"group 0", conv([](NodeBuilder n) { n.attr("group", 0); }), ProblemCode::attribute,
       "'group' is 0, it must be at least 1"},
      {"stride 0", conv([](NodeBuilder n) {
         n.attr("strides", std::vector<int64_t>{1, 0});
       }),
       ProblemCode::attribute, "'strides' is 0, it must be at least 1"},
      {"no such type", [](ModelBuilder& m) { m.node("Cast", {"x"}, {"z"}).attr("to", 27); },
       ProblemCode::attribute, "'to' is 27, it must be 1 to 26"},
      {"reference in the graph",
       gemm([](NodeBuilder n) { n.reference("alpha", "a", onnx::AttributeProto::FLOAT); }),
       ProblemCode::attribute, "refers to 'a' of a function, and the node is in none"},
      {"not UTF-8", conv([](NodeBuilder n) { n.attr("auto_pad", "\xff"); }), ProblemCode::attribute,
       "'auto_pad' is not UTF-8"},
      {"constant without value", [](ModelBuilder& m) { m.node("Constant", {}, {"z"}).name("c"); },
       ProblemCode::attribute, "a constant has no value"},
      {"constant with two values",
       [](ModelBuilder& m) {
         m.node("Constant", {}, {"z"}).name("c").attr("value_int", 1).attr("value_float", 1.f);
       },
       ProblemCode::attribute, "a constant has two values"},
      {"split sums",
       [](ModelBuilder& m) {
         m.node("Split", {"x"}, {"a", "b"}).name("s").attr("num_outputs", 3);
       },
       ProblemCode::attribute, "'num_outputs' is 3 beside 2 outputs"},
      {"fill of two",
       [](ModelBuilder& m) {
         testing::set_tensor<float>(
             m.node("ConstantOfShape", {"x"}, {"z"}).name("c").tensor("value"), {1, 2}, {2},
             float32);
       },
       ProblemCode::attribute, "'value' must hold one element"},
  });
}

TEST(BadModel, TypesAndTensors) {
  auto weight = [](const std::function<void(onnx::TensorProto*)>& spoil) {
    return [=](ModelBuilder& m) {
      m.initializer<float>("w", {1, 2}, {2});
      spoil(m.graph()->mutable_initializer(0));
    };
  };
  run({
      {"no type", [](ModelBuilder& m) { m.graph()->mutable_input(0)->clear_type(); },
       ProblemCode::type, "the input 'x' has no type"},
      {"no element type",
       [](ModelBuilder& m) {
         m.graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(0);
       },
       ProblemCode::type, "no element type with number 0"},
      {"unknown element type",
       [](ModelBuilder& m) {
         m.graph()->mutable_output(0)->mutable_type()->mutable_tensor_type()->set_elem_type(99);
       },
       ProblemCode::type, "value 'y': there is no element type with number 99"},
      {"negative size", [](ModelBuilder& m) { m.value_info("r", float32, {-5}); },
       ProblemCode::shape, "value 'r': a declared size is -5"},
      {"two declarations", [](ModelBuilder& m) { m.value_info("y", int64, {2}); },
       ProblemCode::type, "value 'y': it is declared as int64[?] and is float32[2]"},
      {"initializer and input differ",
       [](ModelBuilder& m) {
         m.initializer<float>("w", {1, 2}, {2}).input("w", float32, {3});
       },
       ProblemCode::type, "initializer 'w': it is declared as float32[3] and is float32[2]"},
      {"map",
       [](ModelBuilder& m) {
         auto* info = m.graph()->add_value_info();
         info->set_name("m");
         info->mutable_type()->mutable_map_type()->set_key_type(7);
       },
       ProblemCode::unsupported, "type map are not supported"},
      {"short data", weight([](onnx::TensorProto* t) { t->set_raw_data("1234"); }),
       ProblemCode::tensor_data, "initializer 'w': a tensor of type float32 and shape [2] needs 8"},
      {"long data", weight([](onnx::TensorProto* t) { t->set_raw_data("0123456789ab"); }),
       ProblemCode::tensor_data, "needs 8 bytes in raw_data and there are 12"},
      {"wrong field", weight([](onnx::TensorProto* t) {
         t->clear_raw_data();
         t->add_int64_data(1);
         t->add_int64_data(2);
       }),
       ProblemCode::tensor_data, "belong in float_data"},
      {"negative dims", weight([](onnx::TensorProto* t) { t->set_dims(0, -2); }),
       ProblemCode::shape, "negative size -2"},
      {"overflow", weight([](onnx::TensorProto* t) {
         t->set_dims(0, int64_t{1} << 40);
         t->add_dims(int64_t{1} << 40);
       }),
       ProblemCode::shape, "overflow"},
      {"unknown data type", weight([](onnx::TensorProto* t) { t->set_data_type(1000); }),
       ProblemCode::type, "no element type with number 1000"},
      {"external data from memory", weight([](onnx::TensorProto* t) {
         t->clear_raw_data();
         t->set_data_location(1);
         auto* entry = t->add_external_data();
         entry->set_key("location");
         entry->set_value("w.bin");
       }),
       ProblemCode::external_data, "say in which folder its data files are"},
  });
}

TEST(BadModel, Functions) {
  auto with = [](const std::function<void(onnx::FunctionProto*, ModelBuilder&)>& spoil) {
    return [=](ModelBuilder& m) {
      m.import("local", 1);
      auto* function = m.function("local", "F", {"a"}, {"b"});
      m.node("F", {"x"}, {"z"}).name("call").domain("local");
      spoil(function, m);
    };
  };
  run({
      {"calls itself", with([](auto* f, auto&) { add_node(f, "F", {"a"}, {"b"}).domain("local"); }),
       ProblemCode::function, "calls itself"},
      {"calls itself in a body", with([](auto* f, auto&) {
         NodeBuilder n = add_node(f, "If", {"a"}, {"b"});
         GraphProtoBuilder(n.graph("then_branch")).node("F", {"a"}, {"q"}).domain("local");
       }),
       ProblemCode::function, "calls itself"},
      {"named twice", with([](auto* f, auto& m) {
         add_node(f, "Neg", {"a"}, {"b"});
         add_node(m.function("local", "F", {"a"}, {"b"}), "Neg", {"a"}, {"b"});
       }),
       ProblemCode::function, "two local functions have this name"},
      {"named as an operator",
       [](ModelBuilder& m) { add_node(m.function("", "Relu", {"a"}, {"b"}), "Neg", {"a"}, {"b"}); },
       ProblemCode::function, "has the name of a standard operator"},
      {"output without writer", with([](auto* f, auto&) { add_node(f, "Neg", {"a"}, {"n"}); }),
       ProblemCode::function, "no node of the function local.F writes its output 'b'"},
      {"too many inputs", with([](auto* f, auto& m) {
         add_node(f, "Neg", {"a"}, {"b"});
         m.graph()->mutable_node(1)->add_input("x");
       }),
       ProblemCode::arity, "the call has 2 inputs and 1 outputs, the function local.F takes 1"},
      {"reads a name of the caller", with([](auto* f, auto&) {
         add_node(f, "Add", {"a", "x"}, {"b"}).name("add");
       }),
       ProblemCode::name, "call/add (Add) x1: it reads 'x', which nothing writes"},
      {"unknown attribute", with([](auto* f, auto& m) {
         add_node(f, "Neg", {"a"}, {"b"});
         NodeBuilder(m.graph()->mutable_node(1)).attr("q", 1);
       }),
       ProblemCode::attribute, "the function local.F has no attribute 'q'"},
      {"needs what the call leaves out", with([](auto* f, auto& m) {
         f->add_input("more");
         add_node(f, "Add", {"a", "more"}, {"b"}).name("add");
       }),
       ProblemCode::arity, "call/add (Add) x1: input 1 is left out, it is not optional"},
      {"reference to nothing", with([](auto* f, auto&) {
         add_node(f, "LeakyRelu", {"a"}, {"b"}).name("l").reference("alpha", "slope", 1);
       }),
       ProblemCode::attribute, "refers to 'slope', which function local.F lacks"},
      {"reference of another type", with([](auto* f, auto& m) {
         f->add_attribute("slope");
         add_node(f, "LeakyRelu", {"a"}, {"b"}).name("l").reference("alpha", "slope", 1);
         NodeBuilder(m.graph()->mutable_node(1)).attr("slope", 1);
       }),
       ProblemCode::attribute, "refers to 'slope', which has another type"},
  });
}

TEST(BadModel, ListsEverythingAtOnce) {
  ModelBuilder model(13);
  model.input("x", float32, {2}).output("y", float32, {2}).output("ghost", float32);
  model.initializer<float>("w", {1, 2}, {3});
  model.node("Foo", {"x"}, {"a"}).name("n1").domain("com.acme");
  model.node("Foo", {"a"}, {"b"}).name("n2").domain("com.acme");
  model.node("Foo", {"b"}, {"c"}).name("n3").domain("com.acme");
  model.node("Bar", {"w"}, {"d"}).name("n4");
  model.node("Softmax", {"c"}, {"e"}).name("n5").attr("axes", 1);
  model.node("Add", {"d", "missing"}, {"y"}).name("n6");
  std::vector<Problem> problems = check(model.bytes());
  ASSERT_EQ(problems.size(), 6u) << describe(problems);
  EXPECT_EQ(problems[0].code, ProblemCode::tensor_data);
  EXPECT_EQ(problems[1].op, "com.acme.Foo");
  EXPECT_EQ(problems[1].node, "n1");
  EXPECT_EQ(problems[1].count, 3);
  EXPECT_EQ(problems[2].op, "Bar");
  EXPECT_EQ(problems[3].code, ProblemCode::attribute);
  EXPECT_EQ(problems[4].code, ProblemCode::name);
  EXPECT_EQ(problems[5].code, ProblemCode::name);
  try {
    testing::import_bytes(model.bytes());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_model);
    EXPECT_THAT(error.what(), HasSubstr("the model has 6 problems"));
    EXPECT_THAT(error.what(), HasSubstr("(3 nodes)"));
  }
}

TEST(BadModel, OneProblemIsTheErrorItself) {
  ModelBuilder model;
  model.input("x", float32, {2}).output("y", float32, {2});
  model.node("Fancy", {"x"}, {"y"}).name("/head/fancy");
  try {
    testing::import_bytes(model.bytes());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::unsupported);
    EXPECT_EQ(error.node(), "/head/fancy");
    EXPECT_EQ(error.op(), "Fancy");
  }
}

TEST(BadModel, NotAModel) {
  for (const std::string& bytes :
       {std::string(), std::string("hello"), std::string(1000, '\0'), std::string(1000, '\xff'),
        std::string("PK\x03\x04 a zip file"), std::string("\x93NUMPY\x01\x00", 8)}) {
    std::vector<Problem> problems = check(bytes);
    ASSERT_EQ(problems.size(), 1u);
    EXPECT_EQ(problems[0].code, ProblemCode::encoding) << describe(problems);
  }
}

// ---- budgets ------------------------------------------------------------------------------------

class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

TEST(Budget, ExplodingFunctionsAreRefusedWithoutExpanding) {
  ModelBuilder model;
  model.import("local", 1);
  model.input("x", float32, {2}).output("y", float32, {2});
  constexpr int kFunctions = 60;  // 2^60 nodes
  for (int i = 0; i < kFunctions; ++i) {
    auto* function = model.function("local", "F" + std::to_string(i), {"a"}, {"b"});
    if (i + 1 == kFunctions) {
      add_node(function, "Neg", {"a"}, {"b"});
    } else {
      std::string next = "F" + std::to_string(i + 1);
      add_node(function, next, {"a"}, {"t"}).domain("local");
      add_node(function, next, {"t"}, {"b"}).domain("local");
    }
  }
  model.node("F0", {"x"}, {"y"}).domain("local").name("call");
  Stopwatch watch;
  std::vector<Problem> problems = check(model.bytes());
  EXPECT_LT(watch.seconds(), 2);
  ASSERT_EQ(problems.size(), 1u) << describe(problems);
  EXPECT_EQ(problems[0].code, ProblemCode::limit);
  EXPECT_THAT(problems[0].message, HasSubstr("gives more than 1000000 nodes"));
}

TEST(Budget, FunctionDepth) {
  ModelBuilder model;
  model.import("local", 1);
  model.input("x", float32, {2}).output("y", float32, {2});
  constexpr int kFunctions = 5000;
  for (int i = 0; i < kFunctions; ++i) {
    auto* function = model.function("local", "F" + std::to_string(i), {"a"}, {"b"});
    std::string next = i + 1 == kFunctions ? "Neg" : "F" + std::to_string(i + 1);
    add_node(function, next, {"a"}, {"b"}).domain(i + 1 == kFunctions ? "" : "local");
  }
  model.node("F0", {"x"}, {"y"}).domain("local");
  EXPECT_THAT(describe(check(model.bytes())), HasSubstr("more than 64 deep"));
}

TEST(Budget, Nodes) {
  ModelBuilder model;
  model.input("x", float32, {2}).output("y", float32, {2});
  for (int i = 0; i < 100; ++i) model.node("Relu", {"x"}, {i == 0 ? "y" : "y" + std::to_string(i)});
  ImportOptions options;
  options.limits.nodes = 99;
  EXPECT_THAT(describe(check(model.bytes(), options)), HasSubstr("more than 99 nodes"));
  options.limits.nodes = 100;
  EXPECT_TRUE(check(model.bytes(), options).empty());
}

TEST(Budget, NestedGraphs) {
  ModelBuilder model;
  model.input("c", boolean).output("y0", boolean);
  onnx::GraphProto* graph = model.graph();
  for (int depth = 0; depth < 28; ++depth) {
    NodeBuilder n = add_node(graph, "If", {"c"}, {"y" + std::to_string(depth)});
    GraphProtoBuilder(n.graph("else_branch")).untyped_output("c");
    graph = n.graph("then_branch");
    graph->add_output()->set_name("y" + std::to_string(depth + 1));
  }
  graph->mutable_output(0)->set_name("c");
  EXPECT_TRUE(check(model.bytes()).empty()) << describe(check(model.bytes()));
  ImportOptions options;
  options.limits.graph_depth = 10;
  EXPECT_THAT(describe(check(model.bytes(), options)), HasSubstr("more than 10 deep"));
}

TEST(Budget, TensorBytes) {
  ModelBuilder model;
  model.initializer<float>("a", std::vector<float>(100), {100});
  model.initializer<float>("b", std::vector<float>(100), {100}).output("a", float32);
  ImportOptions options;
  options.limits.tensor_bytes = 399;
  EXPECT_EQ(check(model.bytes(), options)[0].code, ProblemCode::limit);
  options.limits.tensor_bytes = 400;
  options.limits.total_bytes = 799;
  EXPECT_THAT(describe(check(model.bytes(), options)), HasSubstr("more than 799 bytes together"));
}

TEST(Budget, Axes) {
  for (const size_t axes : {1024, 1025}) {
    ModelBuilder declared, stored;
    for (ModelBuilder* model : {&declared, &stored}) {
      model->input("z", float32, {2}).output("z", float32, {2});
    }
    declared.input("x", float32, std::vector<testing::SizeOrName>(axes, 1));
    stored.initializer<float>("w", {1.0f}, std::vector<int64_t>(axes, 1));
    for (const ModelBuilder* model : {&declared, &stored}) {
      const std::vector<Problem> problems = check(model->bytes());
      ASSERT_EQ(problems.size(), axes > 1024 ? 1u : 0u) << describe(problems);
      if (problems.empty()) continue;
      EXPECT_EQ(problems[0].code, ProblemCode::limit);
      EXPECT_THAT(problems[0].message, HasSubstr("1025 axes, expected at most 1024"));
    }
  }
}

TEST(Budget, OnlyTheFirstUnknownNamesGetHints) {
  ModelBuilder model;
  model.input("x", float32, {2}).output("y0", float32, {2});
  for (int i = 0; i < 100; ++i) {
    model.node("Relu" + std::to_string(100 + i).substr(1), {"x"}, {"y" + std::to_string(i)});
  }
  size_t hints = 0;
  for (const Problem& problem : check(model.bytes())) {
    hints += problem.message.find("Did you mean") != std::string::npos ? 1 : 0;
  }
  EXPECT_EQ(hints, 20u);
}

TEST(Budget, ManyProblemsAreCut) {
  ModelBuilder model;
  model.input("x", float32, {2}).output("y", float32, {2});
  for (int i = 0; i < 20000; ++i) model.node("Relu", {"ghost" + std::to_string(i)}, {""});
  model.node("Relu", {"x"}, {"y"});
  Stopwatch watch;
  std::vector<Problem> problems = check(model.bytes());
  EXPECT_LT(watch.seconds(), 2);
  EXPECT_EQ(problems.size(), 1001u);
  EXPECT_EQ(problems.back().count, 19000);
}

// Names that clash and values in the wrong order are looked up, not searched for.
TEST(Budget, LargeModelsTakeLinearTime) {
  ModelBuilder model;
  model.input("x", float32, {2});
  constexpr int kNodes = 50000;
  for (int i = 0; i < kNodes; ++i) {
    // One name for all nodes, and values in the wrong order.
    model
        .node("Relu", {i + 1 == kNodes ? "x" : "v" + std::to_string(i + 1)},
              {"v" + std::to_string(i)})
        .name("same");
  }
  model.output("v0", float32);
  Stopwatch watch;
  EXPECT_EQ(check(model.bytes())[0].code, ProblemCode::order);
  EXPECT_LT(watch.seconds(), 5);
}

}  // namespace
}  // namespace ferry
