#pragma once

#include <cstdint>

namespace ferry {

class NodeReader;

// Upgrades that operators of several families share.

// Below opset 7, binary operators broadcast their second input only when they are told to, and then
// from `axis` on. The second input gets trailing axes of size 1 where it needs them.
void read_broadcast(NodeReader& reader);

// Makes input 1, whose first axis stands for axis `axis` of input 0, broadcast as today.
void align_axis(NodeReader& reader, int64_t axis);

}  // namespace ferry
