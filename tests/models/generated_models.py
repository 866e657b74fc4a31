"""Runs what models/generate.py writes and compares: generated_models.py FERRY SOURCE [options] [NAME...]

Each model is written, given seeded inputs, computed by a peer (the reference evaluator of the package
onnx, or ONNX Runtime), and run by `ferry test`. By default all models, narrow and of one layer, so that
the reference evaluator, which is slow, can compute them; with --full as they are.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import numpy_helper

SIZES = {"batch": 2, "past_sequence_length": 5, "sequence_length": 2}
SEED = 3


def inputs_of(model):
    random = np.random.default_rng(SEED)
    out = {}
    for value in model.graph.input:
        tensor = value.type.tensor_type
        shape = []
        for dim in tensor.shape.dim:
            parts = dim.dim_param.split(" + ")
            shape.append(sum(SIZES[part] for part in parts) if dim.dim_param else dim.dim_value)
        if tensor.elem_type == onnx.TensorProto.FLOAT:
            out[value.name] = random.standard_normal(shape, np.float32)
        else:
            # Masks and kinds of tokens are 0 or 1; so many words has every vocabulary.
            most = 200 if value.name == "input_ids" else 2
            out[value.name] = random.integers(0, most, shape)
            if value.name == "attention_mask":
                out[value.name][:, 0] = 1  # no row that is all padding
    return out


def compute(peer, path, feeds):
    if peer == "onnx":
        from onnx.reference import ReferenceEvaluator

        return ReferenceEvaluator(str(path)).run(None, feeds)
    import onnxruntime

    providers = ["CPUExecutionProvider"]
    return onnxruntime.InferenceSession(str(path), providers=providers).run(None, feeds)


def save(values, folder, kind, names):
    for i, (name, value) in enumerate(zip(names, values)):
        tensor = numpy_helper.from_array(np.asarray(value), name)
        (folder / f"{kind}_{i}.pb").write_bytes(tensor.SerializeToString())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("ferry")
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("names", nargs="*", default=["all"])
    parser.add_argument("--peer", choices=["onnx", "onnxruntime"], default="onnx")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("-d", "--device", action="append", default=[])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        generate = [sys.executable, arguments.source / "models/generate.py", *arguments.names]
        generate += ["-o", folder / "models"]
        if not arguments.full:
            generate += ["--layers", "1", "--hidden-scale", "0.25"]
        subprocess.run(generate, check=True)
        for path in sorted((folder / "models").iterdir()):
            model = onnx.load(path)
            feeds = inputs_of(model)
            case = folder / "cases" / path.stem / "test_data_set_0"
            case.mkdir(parents=True)
            outputs = compute(arguments.peer, path, feeds)
            path.rename(case.parent / "model.onnx")
            (case.parent / "data.json").write_text(json.dumps({"rtol": 1e-3, "atol": 1e-4}))
            save(feeds.values(), case, "input", feeds)
            save(outputs, case, "output", [value.name for value in model.graph.output])
        for device in arguments.device or ["cpu", "sim:0"]:
            print(f"on {device}:", flush=True)
            subprocess.run([arguments.ferry, "test", folder / "cases", "-d", device], check=True)


if __name__ == "__main__":
    main()
