"""Side by side with ONNX Runtime, alternating fresh processes: python bench/peers.py FERRY_BENCH [PAIRS]

Prints the table of bench/results.md: medians, and the ratio Ferry / peer with a bootstrap interval.
"""

import json
import os
import pathlib
import platform
import random
import statistics
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

PEER = """
import json, sys, time
import numpy as np, onnxruntime as ort
path, rows, threads, runs = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
options = ort.SessionOptions()
options.intra_op_num_threads = threads
start = time.perf_counter()
session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
opened = (time.perf_counter() - start) * 1e3
info = session.get_inputs()[0]
x = np.full([d if isinstance(d, int) else rows for d in info.shape], 0.5, np.float32)
start = time.perf_counter()
session.run(None, {info.name: x})
first = (time.perf_counter() - start) * 1e3
best = 1e300
for _ in range(5):
    start = time.perf_counter()
    for _ in range(runs):
        session.run(None, {info.name: x})
    best = min(best, (time.perf_counter() - start) * 1e3 / runs)
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM:"))
print(json.dumps({"open_ms": opened, "first_ms": first, "run_ms": best, "peak_kib": peak}))
"""


def model_of(nodes, inputs, outputs, initializers=()):
    graph = helper.make_graph(nodes, "bench", inputs, outputs, list(initializers))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
    model.ir_version = 10
    return model


def chain(count):
    """`count` elementwise nodes on 16 floats: the cost of a step."""
    names = ["x"] + [f"v{i}" for i in range(count - 1)] + ["y"]
    ops = ["Relu", "Neg", "Abs"]
    nodes = [helper.make_node(ops[i % 3], [names[i]], [names[i + 1]]) for i in range(count)]
    shape = [16]
    return model_of(
        nodes,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
    )


def layers(count, width):
    """`count` square layers of `width`: weights of a known size."""
    generator = np.random.default_rng(0)
    nodes, weights, last = [], [], "x"
    for i in range(count):
        weight = generator.standard_normal((width, width)).astype(np.float32) * 0.03
        weights.append(numpy_helper.from_array(weight, f"w{i}"))
        nodes.append(helper.make_node("MatMul", [last, f"w{i}"], [f"m{i}"]))
        nodes.append(helper.make_node("Relu", [f"m{i}"], [f"r{i}"]))
        last = f"r{i}"
    shape = ["rows", width]
    return model_of(
        nodes,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(last, TensorProto.FLOAT, shape)],
        weights,
    )


def interval(ratios):
    """Median and a 95 % bootstrap interval."""
    source = random.Random(0)
    medians = sorted(
        statistics.median(source.choices(ratios, k=len(ratios))) for _ in range(2000)
    )
    return statistics.median(ratios), medians[50], medians[1949]


def main():
    bench = sys.argv[1]
    pairs = int(sys.argv[2]) if len(sys.argv) > 2 else 9
    cases = [
        ("chain of 1000 nodes, 1 thread", chain(1000), 1, 1, 200),
        ("25 layers of 1024 (105 MB), 1 row, 1 thread", layers(25, 1024), 1, 1, 5),
        ("25 layers of 1024 (105 MB), 32 rows, 2 threads", layers(25, 1024), 32, 2, 3),
    ]
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, "
          f"onnxruntime {onnxruntime.__version__}, {pairs} pairs of processes\n")
    print("| model | what | Ferry | ONNX Runtime | Ferry / peer (95 % interval) |")
    print("| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for name, model, rows, threads, runs in cases:
            path = str(pathlib.Path(folder) / "model.onnx")
            onnx.save(model, path)
            arguments = [path, str(rows), str(threads), str(runs)]
            ours, theirs = [], []
            for i in range(pairs):
                commands = [[bench, *arguments], [sys.executable, "-c", PEER, *arguments]]
                for j in (0, 1) if i % 2 == 0 else (1, 0):
                    text = subprocess.run(commands[j], check=True, capture_output=True).stdout
                    (ours if j == 0 else theirs).append(json.loads(text))
            for sample in ours + theirs:
                sample["ready_ms"] = sample["open_ms"] + sample["first_ms"]
                sample["plan_ms"] = sample["ready_ms"] - sample["run_ms"]
            for key, label, unit in [
                ("open_ms", "open", "ms"),
                ("plan_ms", "open and plan", "ms"),
                ("ready_ms", "open and first run", "ms"),
                ("run_ms", "run", "ms"),
                ("peak_kib", "peak memory", "KiB"),
            ]:
                a = [sample[key] for sample in ours]
                b = [sample[key] for sample in theirs]
                middle, low, high = interval([x / y for x, y in zip(a, b)])
                print(f"| {name} | {label} | {statistics.median(a):.4g} {unit} | "
                      f"{statistics.median(b):.4g} {unit} | {middle:.3f} ({low:.3f} to {high:.3f}) |")


if __name__ == "__main__":
    main()
