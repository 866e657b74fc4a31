"""Makes soft_clip.onnx, whose operator my.domain.SoftClip examples/custom_operator.cc registers:
python3 examples/soft_clip.py, with onnx 1.22.0."""

import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

size = ["batch", 3]
model = helper.make_model(
    helper.make_graph(
        [
            helper.make_node("Mul", ["x", "w"], ["scaled"], "scale"),
            helper.make_node("SoftClip", ["scaled"], ["clipped"], "clip", domain="my.domain", limit=2.0),
            helper.make_node("Abs", ["clipped"], ["y"], "abs"),
        ],
        "soft_clip",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, size)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, size)],
        [numpy_helper.from_array(np.array([1, 10, -10], np.float32), "w")],
    ),
    ir_version=10,
    opset_imports=[helper.make_opsetid("", 20), helper.make_opsetid("my.domain", 3)],
)
onnx.save(model, pathlib.Path(__file__).with_suffix(".onnx"))
