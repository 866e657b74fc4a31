#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "ferry/model.h"

// The one grammar for inputs: -i NAME=SPEC, and --inputs for all at once.
//
//   a.npy  a.npz:KEY  a.pb  a.safetensors:KEY    a file
//   raw:FILE,DTYPE,2x3             raw elements
//   img:FILE,OPTIONS               a picture (cli/image.h)
//   rand  rand:LO..HI              random, seeded
//   zeros  ones
//   json:[[1, 2], [3, 4]]          nested lists
namespace ferry::cli {

struct InputArgs {
  std::vector<std::string> inputs;  // NAME=SPEC
  std::string all;                  // a .npz, a .safetensors, or a folder of input_0.pb, ...
  std::vector<std::string> dims;
  int seed = 0;
};

// The model's inputs as the arguments say. Those that no argument names are random in a range that
// fits, and a line on stderr says so. Sizes that are not given are 1. Throws Error for a wrong name
// (with the nearest), a spec that is not in the grammar, or a size that nobody used.
Inputs make_inputs(const Model& model, const InputArgs& args);

// The inputs with floating ones in the model's types: for a model that was converted.
Inputs as_model_takes(const Inputs& inputs, const Model& model);

}  // namespace ferry::cli
