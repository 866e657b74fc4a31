// The rows of importer/ops against ONNX's own schemas (onnx_schemas.tsv, made by dump_schemas.py):
// every version of every operator, its arity, its attributes and their defaults.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <climits>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "importer/ops/rows.h"

namespace ferry {
namespace {

struct Schema {
  std::string domain, op;
  int since = 0;
  bool deprecated = false;
  Arity inputs = 0, outputs = 0;
  std::map<std::string, std::string> attributes;  // name -> "i=1", "s!", "t"
};

std::vector<Schema> read_schemas() {
  std::ifstream file(FERRY_ONNX_SCHEMAS);
  std::vector<Schema> schemas;
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    std::vector<std::string> columns;
    for (std::string column; std::getline(fields, column, '\t');) columns.push_back(column);
    columns.resize(9);
    Schema schema;
    schema.domain = columns[0];
    schema.op = columns[1];
    schema.since = std::stoi(columns[2]);
    schema.deprecated = columns[3] == "1";
    schema.inputs = {std::stoi(columns[4]), std::stoi(columns[5])};
    schema.outputs = {std::stoi(columns[6]), std::stoi(columns[7])};
    std::istringstream attributes(columns[8]);
    for (std::string attribute; attributes >> attribute;) {
      size_t colon = attribute.find(':');
      std::string name = attribute.substr(0, colon);
      // A hint on memory use in the first opsets; the importer skips it for every operator.
      if (name == "consumed_inputs") continue;
      schema.attributes[name] = attribute.substr(colon + 1);
    }
    schemas.push_back(std::move(schema));
  }
  return schemas;
}

constexpr char kTypeLetters[] = "ifsIFStgy";  // by AttrType

std::string number(float value) {
  std::ostringstream text;
  text.precision(9);
  text << value;
  return text.str();
}

std::string describe(const AttrSpec& spec) {
  std::string text(1, kTypeLetters[static_cast<int>(spec.type)]);
  if (spec.absent == Absent::refused) return text + "!";
  if (spec.absent == Absent::left) return text;
  switch (spec.type) {
    case AttrType::integer:
      return text + "=" + std::to_string(spec.integer);
    case AttrType::real:
      return text + "=" + number(spec.real);
    case AttrType::text:
      return text + "=" + std::string(spec.text);
    case AttrType::ints: {
      std::string list;
      for (int64_t value : spec.ints) list += (list.empty() ? "" : "|") + std::to_string(value);
      return list.empty() ? text : text + "=" + list;
    }
    default:
      return text;
  }
}

// Where the IR says more than ONNX does, so that kernels need no case for a missing attribute, or
// where ONNX's own description is wrong. Read with the rows.
const std::set<std::string> kDeviations = {
    "Concat.axis@1",    // the text says 1, the schema nothing
    "GRU.activations",  // written out by the reader
    "GRU.clip",
    "GRU.direction@1",  // "foward"
    "GRU.hidden_size",
    "LSTM.activations",
    "LSTM.clip",
    "LSTM.hidden_size",
    "RNN.activations",
    "RNN.clip",
    "RNN.hidden_size",
    "SequenceEmpty.dtype",  // the text says float
    "Shape.end",            // clamped to the rank
    "Split.axis@1",         // the text says 0
};

bool deviates(const std::string& op, const std::string& attribute, int since) {
  std::string name = op + "." + attribute;
  return kDeviations.contains(name) || kDeviations.contains(name + "@" + std::to_string(since));
}

bool same_default(const std::string& ours, const std::string& onnx) {
  if (ours == onnx) return true;
  if (ours.substr(0, 2) != "f=" || onnx.substr(0, 2) != "f=") return false;
  return std::stof(ours.substr(2)) == std::stof(onnx.substr(2));
}

std::pair<Arity, Arity> arity_at(const OpRow& row, int opset) {
  for (const OldArity& old : row.old_arity) {
    if (opset < old.below) return {old.inputs, old.outputs};
  }
  return {row.inputs, row.outputs};
}

TEST(Schemas, EveryVersionIsARow) {
  std::map<std::pair<std::string, std::string>, std::vector<int>> versions;
  for (const Schema& schema : read_schemas()) {
    std::vector<int>& list = versions[{schema.domain, schema.op}];
    const OpRow* row = find_row(schema.domain, schema.op);
    ASSERT_NE(row, nullptr) << schema.domain << " " << schema.op;
    bool live = !schema.deprecated || row->removed == kForever;
    if (live) {
      list.push_back(schema.since);
    } else {
      EXPECT_EQ(row->removed, schema.since) << schema.op;
    }
  }
  ASSERT_GT(versions.size(), 200u);
  for (const auto& [key, list] : versions) {
    const OpRow* row = find_row(key.first, key.second);
    std::vector<int> ours;
    for (int since : row->since) {
      if (since != 0) ours.push_back(since);
    }
    EXPECT_EQ(ours, list) << key.second;
  }
}

TEST(Schemas, AritiesAgree) {
  for (const Schema& schema : read_schemas()) {
    const OpRow* row = find_row(schema.domain, schema.op);
    if (row == nullptr || schema.since >= row->removed) continue;
    auto [inputs, outputs] = arity_at(*row, schema.since);
    auto text = [](const Arity& arity) {
      return std::to_string(arity.least) + " to " + std::to_string(arity.most);
    };
    EXPECT_EQ(text(inputs), text(schema.inputs)) << schema.op << " " << schema.since << " inputs";
    EXPECT_EQ(text(outputs), text(schema.outputs))
        << schema.op << " " << schema.since << " outputs";
  }
}

TEST(Schemas, AttributesAndDefaultsAgree) {
  for (const Schema& schema : read_schemas()) {
    const OpRow* row = find_row(schema.domain, schema.op);
    if (row == nullptr || schema.since >= row->removed) continue;
    std::map<std::string, std::string> ours;
    for (const AttrSpec& spec : row->attributes) {
      if (!spec.is_in(schema.since)) continue;
      EXPECT_TRUE(ours.emplace(spec.name, describe(spec)).second)
          << schema.op << " says '" << spec.name << "' twice";
    }
    for (const auto& [name, onnx] : schema.attributes) {
      std::string where = schema.op + "." + name + "@" + std::to_string(schema.since);
      auto found = ours.find(name);
      ASSERT_NE(found, ours.end()) << where;
      if (!deviates(schema.op, name, schema.since)) {
        EXPECT_TRUE(same_default(found->second, onnx))
            << where << ": " << found->second << " here, " << onnx << " in ONNX";
      }
      ours.erase(found);
    }
    for (const auto& [name, spec] : ours) {
      ADD_FAILURE() << schema.op << " " << schema.since << " has no attribute '" << name << "'";
    }
  }
}

// A typo in a row would hide an operator.
TEST(Rows, AreOrderedAndUnique) {
  std::set<std::string> names;
  for (std::span<const OpRow> family : op_rows()) {
    for (const OpRow& row : family) {
      std::string name = std::string(row.domain) + "." + std::string(row.op);
      EXPECT_TRUE(names.insert(name).second) << name;
      EXPECT_EQ(find_row(row.domain, row.op), &row) << name;
      for (size_t i = 1; i < row.since.size(); ++i) {
        EXPECT_TRUE(row.since[i] == 0 || row.since[i] > row.since[i - 1]) << name;
      }
      EXPECT_LE(*std::ranges::max_element(row.since), reviewed_through(row.domain)) << name;
    }
  }
}

}  // namespace
}  // namespace ferry
