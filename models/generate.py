"""Writes well-known architectures with random weights: python models/generate.py NAME... -o FOLDER

Nodes are as exporters of PyTorch write them: names are paths through the modules, layer
normalization, GELU and attention stand in their parts, shapes are computed by Shape, Gather and
Concat, and the batch is a symbol. Weights are random but seeded: the same command writes the same
bytes again. Needs the packages onnx and numpy; nothing here is needed to build or use Ferry.

  python models/generate.py resnet50 -o build/models
  python models/generate.py all -o build/models
  python models/generate.py transformer --layers 100 -o build/models
"""

import argparse
import contextlib
import dataclasses
import math
import pathlib
import zlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17  # the newest whose operators still show layer normalization in parts by default
IR_VERSION = 8

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


class Graph:
    """A graph under construction. Values are their names."""

    def __init__(self, name, seed):
        self.name = name
        self.seed = seed
        self.path = []
        self.taken = {}
        self.nodes, self.inputs, self.outputs, self.weights = [], [], [], []

    @contextlib.contextmanager
    def scope(self, name):
        self.path.append(name)
        yield
        self.path.pop()

    def unique(self, op):
        """/encoder/layer.0/MatMul, /encoder/layer.0/MatMul_1, ..."""
        base = "/" + "/".join([*self.path, op])
        count = self.taken.get(base, 0)
        self.taken[base] = count + 1
        return base if count == 0 else f"{base}_{count}"

    def op(self, op, *inputs, outputs=1, **attributes):
        name = self.unique(op)
        values = [f"{name}_output_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, values, name, **attributes))
        return values[0] if outputs == 1 else values

    def constant(self, value, dtype=np.int64):
        return self.op("Constant", value=numpy_helper.from_array(np.asarray(value, dtype)))

    def scalar(self, value):
        return self.constant(value, np.float32)

    def array(self, name, values):
        """A weight of given elements, named after the module that it belongs to."""
        name = ".".join([*self.path, name])
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def weight(self, name, *shape, deviation=0.02, mean=0.0):
        # Each has a generator of its own, so that no weight depends on those before it.
        key = zlib.crc32(".".join([self.name, *self.path, name]).encode())
        values = np.random.default_rng([self.seed, key]).standard_normal(shape, np.float32)
        return self.array(name, values * np.float32(deviation) + np.float32(mean))

    def input(self, name, dtype, *dims):
        self.inputs.append(helper.make_tensor_value_info(name, dtype, dims))
        return name

    def output(self, value, name, dtype, *dims):
        """Renames `value`, as exporters do, rather than copying it."""
        for node in self.nodes:
            for names in (node.input, node.output):
                for i, other in enumerate(names):
                    if other == value:
                        names[i] = name
        self.outputs.append(helper.make_tensor_value_info(name, dtype, dims))

    def model(self):
        graph = helper.make_graph(self.nodes, self.name, self.inputs, self.outputs, self.weights)
        opset = helper.make_opsetid("", OPSET)
        model = helper.make_model(graph, opset_imports=[opset], producer_name="ferry-models")
        model.ir_version = IR_VERSION
        onnx.checker.check_model(model)
        return model

    # ---- what modules consist of -------------------------------------------------------------

    def size(self, value, axis):
        """One size of a value, as a scalar."""
        return self.op("Gather", self.op("Shape", value), self.constant(axis), axis=0)

    def reshape(self, value, *sizes):
        """To sizes that are numbers or scalars of size()."""
        if all(isinstance(size, int) for size in sizes):
            return self.op("Reshape", value, self.constant(sizes))
        parts = [
            self.constant([size])
            if isinstance(size, int)
            else self.op("Unsqueeze", size, self.constant([0]))
            for size in sizes
        ]
        return self.op("Reshape", value, self.op("Concat", *parts, axis=0))

    def linear(self, value, size_in, size_out, bias=True):
        """Of values with more than two axes: the weight stands transposed."""
        product = self.op("MatMul", value, self.weight("weight", size_in, size_out))
        return self.op("Add", self.weight("bias", size_out), product) if bias else product

    def gemm(self, value, size_in, size_out):
        weight = self.weight("weight", size_out, size_in, deviation=1 / math.sqrt(size_in))
        return self.op("Gemm", value, weight, self.weight("bias", size_out), transB=1)

    def layer_norm(self, value, size, epsilon=1e-5):
        centered = self.op("Sub", value, self.op("ReduceMean", value, axes=[-1]))
        squares = self.op("Pow", centered, self.scalar(2))
        variance = self.op("ReduceMean", squares, axes=[-1])
        deviation = self.op("Sqrt", self.op("Add", variance, self.scalar(epsilon)))
        scaled = self.op("Mul", self.op("Div", centered, deviation), self.weight("weight", size, mean=1))
        return self.op("Add", scaled, self.weight("bias", size))

    def gelu(self, value):
        erf = self.op("Erf", self.op("Div", value, self.scalar(math.sqrt(2))))
        product = self.op("Mul", value, self.op("Add", erf, self.scalar(1)))
        return self.op("Mul", product, self.scalar(0.5))

    def gelu_tanh(self, value):
        half = self.op("Mul", value, self.scalar(0.5))
        cube = self.op("Mul", self.op("Pow", value, self.scalar(3)), self.scalar(0.044715))
        inner = self.op("Mul", self.op("Add", value, cube), self.scalar(math.sqrt(2 / math.pi)))
        return self.op("Mul", half, self.op("Add", self.op("Tanh", inner), self.scalar(1)))

    def conv(self, value, size_in, size_out, kernel, stride=1, groups=1, gain=2.0):
        """With the batch normalization folded in. Deviations keep activations of one size."""
        terms = size_in // groups * math.prod(kernel)
        weight = self.weight(
            "weight", size_out, size_in // groups, *kernel, deviation=math.sqrt(gain / terms)
        )
        return self.op(
            "Conv",
            value,
            weight,
            self.weight("bias", size_out),
            dilations=[1] * len(kernel),
            group=groups,
            kernel_shape=list(kernel),
            pads=[(size - 1) // 2 for size in kernel] * 2,
            strides=[stride] * len(kernel),
        )

    def relu6(self, value):
        return self.op("Clip", value, self.scalar(0), self.scalar(6))

    def heads(self, value, count, size, perm):
        """[batch, sequence, count * size] with its last axis split and its axes permuted."""
        split = self.reshape(value, self.size(value, 0), self.size(value, 1), count, size)
        return self.op("Transpose", split, perm=perm)

    def join_heads(self, value, width):
        joined = self.op("Transpose", value, perm=[0, 2, 1, 3])
        return self.reshape(joined, self.size(joined, 0), self.size(joined, 1), width)


@dataclasses.dataclass
class Sizes:
    """What a command may change of an architecture."""

    layers: int | None = None
    scale: float = 1.0

    def depth(self, layers):
        return self.layers or layers

    def width(self, size, multiple=8):
        """`size` scaled, as a multiple of `multiple`; never 0."""
        return max(1, round(size * self.scale / multiple)) * multiple


# ---- networks of pictures ------------------------------------------------------------------------


def mlp(g, sizes):
    width = sizes.width(512)
    x = g.input("x", FLOAT, "batch", 784)
    for i, (size_in, size_out) in enumerate([(784, width), (width, width), (width, 10)]):
        with g.scope(f"layers.{2 * i}"):
            x = g.gemm(x, size_in, size_out)
        if i < 2:
            with g.scope(f"layers.{2 * i + 1}"):
                x = g.op("Relu", x)
    g.output(x, "scores", FLOAT, "batch", 10)


def lenet(g, sizes):
    x = g.input("image", FLOAT, "batch", 1, 28, 28)
    size_in = 1
    for i, size_out in enumerate([sizes.width(8), sizes.width(16)]):
        with g.scope(f"conv{i + 1}"):
            x = g.conv(x, size_in, size_out, (5, 5))
        x = g.op("Relu", x)
        x = g.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
        size_in = size_out
    x = g.reshape(x, g.size(x, 0), -1)  # x.view(x.size(0), -1)
    for name, size_in, size_out in [("fc1", size_in * 49, 120), ("fc2", 120, 84), ("fc3", 84, 10)]:
        with g.scope(name):
            x = g.gemm(x, size_in, size_out)
        if name != "fc3":
            x = g.op("Relu", x)
    g.output(x, "scores", FLOAT, "batch", 10)


def classify(g, x, width):
    """Mean over the picture, then 1000 classes."""
    with g.scope("avgpool"):
        x = g.op("GlobalAveragePool", x)
    x = g.op("Flatten", x, axis=1)
    with g.scope("classifier"):
        x = g.gemm(x, width, 1000)
    g.output(x, "scores", FLOAT, "batch", 1000)


def mobilenetv2(g, sizes):
    """Sandler et al. 2018, table 2: expansion, channels, repetitions, stride."""
    x = g.input("image", FLOAT, "batch", 3, 224, 224)
    width = sizes.width(32)
    with g.scope("features.0"):
        x = g.relu6(g.conv(x, 3, width, (3, 3), stride=2))
    table = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2)]
    table += [(6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
    index = 1
    for expansion, channels, count, first_stride in table:
        for repetition in range(count):
            stride = first_stride if repetition == 0 else 1
            size_out, hidden, start = sizes.width(channels), width * expansion, x
            with g.scope(f"features.{index}"):
                if expansion != 1:
                    with g.scope("conv.0"):
                        x = g.relu6(g.conv(x, width, hidden, (1, 1)))
                with g.scope("conv.1"):
                    x = g.relu6(g.conv(x, hidden, hidden, (3, 3), stride, groups=hidden))
                with g.scope("conv.2"):
                    x = g.conv(x, hidden, size_out, (1, 1), gain=1.0)
                if stride == 1 and size_out == width:
                    x = g.op("Add", start, x)
            width = size_out
            index += 1
    last = sizes.width(1280)
    with g.scope(f"features.{index}"):
        x = g.relu6(g.conv(x, width, last, (1, 1)))
    classify(g, x, last)


def resnet50(g, sizes):
    """He et al. 2015, with the stride in the 3x3 convolution, as torchvision has it."""
    x = g.input("image", FLOAT, "batch", 3, 224, 224)
    width = sizes.width(64)
    with g.scope("conv1"):
        x = g.conv(x, 3, width, (7, 7), stride=2)
    x = g.op("Relu", x)
    x = g.op("MaxPool", x, kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2])
    for stage, count in enumerate([3, 4, 6, 3]):
        inner = sizes.width(64 << stage)
        size_out = 4 * inner
        for block in range(count):
            stride = 2 if stage > 0 and block == 0 else 1
            with g.scope(f"layer{stage + 1}.{block}"):
                start = x
                with g.scope("conv1"):
                    x = g.conv(x, width, inner, (1, 1))
                x = g.op("Relu", x)
                with g.scope("conv2"):
                    x = g.conv(x, inner, inner, (3, 3), stride)
                x = g.op("Relu", x)
                with g.scope("conv3"):
                    x = g.conv(x, inner, size_out, (1, 1), gain=0.2)
                if block == 0:
                    with g.scope("downsample.0"):
                        start = g.conv(start, width, size_out, (1, 1), stride, gain=1.0)
                x = g.op("Relu", g.op("Add", x, start))
            width = size_out
    classify(g, x, width)


# ---- transformers --------------------------------------------------------------------------------


def bert_layer(g, x, mask, width, heads, feed_forward):
    size = width // heads
    with g.scope("attention"):
        with g.scope("self"):
            parts = []
            for name, perm in [
                ("query", [0, 2, 1, 3]),
                ("key", [0, 2, 3, 1]),
                ("value", [0, 2, 1, 3]),
            ]:
                with g.scope(name):
                    part = g.linear(x, width, width)
                parts.append(g.heads(part, heads, size, perm))
            scores = g.op("Div", g.op("MatMul", *parts[:2]), g.scalar(math.sqrt(size)))
            weights = g.op("Softmax", g.op("Add", scores, mask), axis=-1)
            mixed = g.join_heads(g.op("MatMul", weights, parts[2]), width)
        with g.scope("output"):
            with g.scope("dense"):
                mixed = g.linear(mixed, width, width)
            mixed = g.op("Add", mixed, x)
            with g.scope("LayerNorm"):
                x = g.layer_norm(mixed, width, 1e-12)
    with g.scope("intermediate"):
        with g.scope("dense"):
            inner = g.linear(x, width, feed_forward)
        with g.scope("intermediate_act_fn"):
            inner = g.gelu(inner)
    with g.scope("output"):
        with g.scope("dense"):
            inner = g.linear(inner, feed_forward, width)
        inner = g.op("Add", inner, x)
        with g.scope("LayerNorm"):
            return g.layer_norm(inner, width, 1e-12)


def bert(g, sizes, layers, width, heads, sequence, vocabulary=30522):
    layers, width = sizes.depth(layers), sizes.width(width, heads)
    ids, mask, kinds = (
        g.input(name, INT64, "batch", sequence)
        for name in ("input_ids", "attention_mask", "token_type_ids")
    )
    # 0 where a token counts, the lowest number where it is padding.
    wide = g.op("Unsqueeze", g.op("Unsqueeze", mask, g.constant([1])), g.constant([2]))
    padding = g.op("Sub", g.scalar(1), g.op("Cast", wide, to=FLOAT))
    mask = g.op("Mul", padding, g.scalar(np.finfo(np.float32).min))
    with g.scope("embeddings"):
        positions = g.array("position_ids", np.arange(512, dtype=np.int64).reshape(1, 512))
        end = g.op("Unsqueeze", g.size(ids, 1), g.constant([0]))
        positions = g.op("Slice", positions, g.constant([0]), end, g.constant([1]))
        with g.scope("word_embeddings"):
            words = g.op("Gather", g.weight("weight", vocabulary, width), ids)
        with g.scope("token_type_embeddings"):
            kinds = g.op("Gather", g.weight("weight", 2, width), kinds)
        x = g.op("Add", words, kinds)
        with g.scope("position_embeddings"):
            places = g.op("Gather", g.weight("weight", 512, width), positions)
        x = g.op("Add", x, places)
        with g.scope("LayerNorm"):
            x = g.layer_norm(x, width, 1e-12)
    for layer in range(layers):
        with g.scope("encoder"), g.scope(f"layer.{layer}"):
            x = bert_layer(g, x, mask, width, heads, 4 * width)
    with g.scope("pooler"):
        first = g.op("Gather", x, g.constant(0), axis=1)
        with g.scope("dense"):
            pooled = g.gemm(first, width, width)
        with g.scope("activation"):
            pooled = g.op("Tanh", pooled)
    g.output(x, "last_hidden_state", FLOAT, "batch", sequence, width)
    g.output(pooled, "pooler_output", FLOAT, "batch", width)


def conv1d(g, value, size_in, size_out):
    """GPT-2's linear layer: a Gemm of rows, and the shape put back."""
    rows = g.reshape(value, -1, size_in)
    weight = g.weight("weight", size_in, size_out)
    product = g.op("Gemm", rows, weight, g.weight("bias", size_out))
    return g.reshape(product, g.size(value, 0), g.size(value, 1), size_out)


def gpt2_layer(g, x, past, mask, causal, width, heads):
    """Returns its output and the keys and values for the next token."""
    size = width // heads
    with g.scope("ln_1"):
        inner = g.layer_norm(x, width)
    with g.scope("attn"):
        with g.scope("c_attn"):
            inner = conv1d(g, inner, width, 3 * width)
        parts = g.op("Split", inner, g.constant([width] * 3), axis=2, outputs=3)
        query, key, value = (g.heads(part, heads, size, [0, 2, 1, 3]) for part in parts)
        key = g.op("Concat", past[0], key, axis=-2)
        value = g.op("Concat", past[1], value, axis=-2)
        scores = g.op("MatMul", query, g.op("Transpose", key, perm=[0, 1, 3, 2]))
        scores = g.op("Div", scores, g.scalar(math.sqrt(size)))
        # bias[:, :, keys - queries : keys, :keys]
        keys, queries = g.size(key, -2), g.size(query, -2)
        axes = [g.op("Unsqueeze", n, g.constant([0])) for n in (g.op("Sub", keys, queries), keys)]
        allowed = g.op("Slice", causal, axes[0], axes[1], g.constant([2]))
        allowed = g.op("Slice", allowed, g.constant([0]), axes[1], g.constant([3]))
        scores = g.op("Where", allowed, scores, g.scalar(np.finfo(np.float32).min))
        weights = g.op("Softmax", g.op("Add", scores, mask), axis=-1)
        mixed = g.join_heads(g.op("MatMul", weights, value), width)
        with g.scope("c_proj"):
            mixed = conv1d(g, mixed, width, width)
    x = g.op("Add", mixed, x)
    with g.scope("ln_2"):
        inner = g.layer_norm(x, width)
    with g.scope("mlp"):
        with g.scope("c_fc"):
            inner = conv1d(g, inner, width, 4 * width)
        with g.scope("act"):
            inner = g.gelu_tanh(inner)
        with g.scope("c_proj"):
            inner = conv1d(g, inner, 4 * width, width)
    return g.op("Add", x, inner), (key, value)


def gpt2_decode(g, sizes):
    """One step of generation: the new tokens, and the keys and values of those before them."""
    heads, context, vocabulary = 12, 1024, 50257
    layers, width = sizes.depth(12), sizes.width(768, heads)
    size, past_name = width // heads, "past_sequence_length"
    total_name = f"{past_name} + sequence_length"
    ids = g.input("input_ids", INT64, "batch", "sequence_length")
    past = [
        [
            g.input(f"past_key_values.{i}.{kind}", FLOAT, "batch", heads, past_name, size)
            for kind in ("key", "value")
        ]
        for i in range(layers)
    ]
    mask = g.input("attention_mask", INT64, "batch", total_name)
    with g.scope("transformer"):
        wide = g.op("Unsqueeze", g.op("Unsqueeze", mask, g.constant([1])), g.constant([2]))
        padding = g.op("Sub", g.scalar(1), g.op("Cast", wide, to=FLOAT))
        mask = g.op("Mul", padding, g.scalar(np.finfo(np.float32).min))
        before = g.size(past[0][0], -2)
        after = g.op("Add", before, g.size(ids, 1))
        positions = g.op("Range", before, after, g.constant(1))
        positions = g.op("Unsqueeze", positions, g.constant([0]))
        with g.scope("wte"):
            words = g.op("Gather", g.weight("weight", vocabulary, width), ids)
        with g.scope("wpe"):
            places = g.op("Gather", g.weight("weight", context, width), positions)
        x = g.op("Add", words, places)
        causal = np.tril(np.ones((context, context), bool)).reshape(1, 1, context, context)
        causal = g.array("bias", causal)
        present = []
        for i in range(layers):
            with g.scope(f"h.{i}"):
                x, pair = gpt2_layer(g, x, past[i], mask, causal, width, heads)
            present.append(pair)
        with g.scope("ln_f"):
            x = g.layer_norm(x, width)
    with g.scope("lm_head"):
        logits = g.linear(x, width, vocabulary, bias=False)
    g.output(logits, "logits", FLOAT, "batch", "sequence_length", vocabulary)
    for i, pair in enumerate(present):
        for kind, value in zip(("key", "value"), pair):
            g.output(value, f"present.{i}.{kind}", FLOAT, "batch", heads, total_name, size)


def whisper_layer(g, x, width, heads):
    size = width // heads
    start = x
    with g.scope("self_attn_layer_norm"):
        x = g.layer_norm(x, width)
    with g.scope("self_attn"):
        with g.scope("q_proj"):
            query = g.op("Mul", g.linear(x, width, width), g.scalar(size**-0.5))
        with g.scope("k_proj"):
            key = g.linear(x, width, width, bias=False)
        with g.scope("v_proj"):
            value = g.linear(x, width, width)
        query, key, value = (g.heads(v, heads, size, [0, 2, 1, 3]) for v in (query, key, value))
        scores = g.op("MatMul", query, g.op("Transpose", key, perm=[0, 1, 3, 2]))
        mixed = g.join_heads(g.op("MatMul", g.op("Softmax", scores, axis=-1), value), width)
        with g.scope("out_proj"):
            mixed = g.linear(mixed, width, width)
    x = g.op("Add", start, mixed)
    with g.scope("final_layer_norm"):
        inner = g.layer_norm(x, width)
    with g.scope("fc1"):
        inner = g.linear(inner, width, 4 * width)
    with g.scope("activation_fn"):
        inner = g.gelu(inner)
    with g.scope("fc2"):
        inner = g.linear(inner, 4 * width, width)
    return g.op("Add", x, inner)


def whisper_tiny_encoder(g, sizes):
    """Thirty seconds of sound as 80 bands of 3000 frames."""
    heads = 6
    layers, width = sizes.depth(4), sizes.width(384, heads)
    x = g.input("input_features", FLOAT, "batch", 80, 3000)
    with g.scope("encoder"):
        for name, size_in, stride in [("conv1", 80, 1), ("conv2", width, 2)]:
            with g.scope(name):
                x = g.gelu(g.conv(x, size_in, width, (3,), stride))
        x = g.op("Transpose", x, perm=[0, 2, 1])
        with g.scope("embed_positions"):
            x = g.op("Add", x, g.weight("weight", 1500, width))
        for i in range(layers):
            with g.scope(f"layers.{i}"):
                x = whisper_layer(g, x, width, heads)
        with g.scope("layer_norm"):
            x = g.layer_norm(x, width)
    g.output(x, "last_hidden_state", FLOAT, "batch", 1500, width)


MODELS = {
    "mlp": mlp,
    "lenet": lenet,
    "mobilenetv2": mobilenetv2,
    "resnet50": resnet50,
    "minilm_s32": lambda g, sizes: bert(g, sizes, 6, 384, 12, 32),
    "minilm_s128": lambda g, sizes: bert(g, sizes, 6, 384, 12, 128),
    "bert_base_s128": lambda g, sizes: bert(g, sizes, 12, 768, 12, 128),
    "gpt2_decode": gpt2_decode,
    "whisper_tiny_encoder": whisper_tiny_encoder,
}

# Of any depth, with small weights: for how long planning takes.
DEEP = {"transformer": lambda g, sizes: bert(g, sizes, 24, 64, 4, 128, vocabulary=256)}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.split(":")[0], epilog="NAME: all, " + ", ".join([*MODELS, *DEEP])
    )
    parser.add_argument("names", nargs="+", metavar="NAME", choices=["all", *MODELS, *DEEP])
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True, metavar="FOLDER")
    parser.add_argument("--layers", type=int, help="of transformers, instead of their own number")
    parser.add_argument(
        "--hidden-scale", type=float, default=1.0, help="factor on the widths inside (default: 1)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the weights (default: 0)")
    arguments = parser.parse_args()
    if arguments.layers is not None and arguments.layers < 1:
        parser.error("--layers: expected at least 1")
    if not 0 < arguments.hidden_scale <= 4:
        parser.error("--hidden-scale: expected more than 0 and at most 4")
    arguments.output.mkdir(parents=True, exist_ok=True)
    names = [n for name in arguments.names for n in (MODELS if name == "all" else [name])]
    for name in names:
        graph = Graph(name, arguments.seed)
        (MODELS | DEEP)[name](graph, Sizes(arguments.layers, arguments.hidden_scale))
        depth = f"_{arguments.layers}" if name in DEEP and arguments.layers else ""
        path = arguments.output / f"{name}{depth}.onnx"
        onnx.save(graph.model(), path)
        print(f"{path}: {len(graph.nodes)} nodes, {path.stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
