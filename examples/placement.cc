// Asks where a model would run and what it would copy, without moving a byte.
//
//   placement MODEL.onnx [DEVICE]     DEVICE as for ferry: "sim:0", "cuda:0,cpu"
#include <ferry/ferry.h>

#include <iostream>

int main(int argc, char** argv) try {
  if (argc < 2) {
    std::cerr << "usage: placement MODEL.onnx [DEVICE]\n";
    return 2;
  }
  const ferry::Model model = ferry::Model::load(argv[1]);
  const ferry::Placement plan =
      model.plan(ferry::PlacementRequest::parse(argc > 2 ? argv[2] : "sim:0,cpu"));
  std::cout << plan.summary() << "\n";
  for (const ferry::NodePlacement& node : plan.nodes()) {
    std::cout << node.device.str() << "  " << node.reason << "  " << node.op << "  " << node.name
              << "\n";
  }
  for (const ferry::CopyPlacement& copy : plan.copies()) {
    std::cout << copy.when << "  " << copy.value << "  " << copy.from.str() << " -> "
              << copy.to.str() << "  " << copy.bytes.value << " bytes\n";
  }
  return 0;
} catch (const ferry::Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
