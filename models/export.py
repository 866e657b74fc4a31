"""Makes the models of this folder and their golden files: python models/export.py [FOLDER]

Needs torch 2.13.0, onnx, onnxscript and scikit-learn. Seeded: a second run on the same machine gives
the same weights and the same goldens. Nothing here is needed to build, test or use Ferry.
"""

import pathlib
import sys
import warnings

import numpy as np
import onnx
import torch
from sklearn.datasets import load_digits
from torch import nn

SEED = 20240229
FOLDER = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else __file__).resolve()
FOLDER = FOLDER if FOLDER.is_dir() else FOLDER.parent


class Net(nn.Module):
    """The smallest model with a weight, a bias and an activation."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(3, 2)
        self.fc2 = nn.Linear(2, 1)

    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(x)))


class Digits(nn.Module):
    """A convolutional classifier of 8x8 digits."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.classifier = nn.Linear(16 * 2 * 2, 10)

    def forward(self, image):
        return self.classifier(torch.flatten(self.features(image), 1))


class Mixer(nn.Module):
    """One transformer block: attention and a GELU network, each behind a LayerNorm."""

    def __init__(self, width=32, heads=4):
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.up = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)

    def forward(self, tokens):
        batch, sequence, width = tokens.shape
        parts = self.qkv(self.norm1(tokens)).reshape(batch, sequence, 3, self.heads, -1)
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)
        scores = query @ key.transpose(-2, -1) * (width // self.heads) ** -0.5
        mixed = (scores.softmax(-1) @ value).transpose(1, 2).reshape(batch, sequence, width)
        tokens = tokens + self.project(mixed)
        return tokens + self.down(nn.functional.gelu(self.up(self.norm2(tokens))))


def train_digits():
    """Three in four images train, the others say how good it is; both numbers are printed."""
    images, labels = load_digits(return_X_y=True)
    images = torch.tensor(images, dtype=torch.float32).reshape(-1, 1, 8, 8) / 16
    labels = torch.tensor(labels)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(SEED))
    train, test = order[: len(order) * 3 // 4], order[len(order) * 3 // 4 :]
    model = Digits()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(40):
        for part in train[torch.randperm(len(train))].split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images[part]), labels[part]).backward()
            optimizer.step()
    model.eval()
    with torch.no_grad():
        right = (model(images).argmax(1) == labels).float()
    print(f"digits: {right[train].mean():.4f} right in training, {right[test].mean():.4f} in test")
    return model, images[test]


def clean(path):
    """Drops the stack traces that the exporter writes (they name files of this machine), and the
    file for large weights where there are none."""
    model = onnx.load(path, load_external_data=False)
    for node in model.graph.node:
        kept = [p for p in node.metadata_props if p.key != "pkg.torch.onnx.stack_trace"]
        del node.metadata_props[:]
        node.metadata_props.extend(kept)
    path.write_bytes(model.SerializeToString(deterministic=True))
    data = path.with_name(path.name + ".data")
    if data.exists() and data.stat().st_size == 0:
        data.unlink()


def write(name, model, input_name, output_name, examples, dynamic):
    """Exports `model` twice and writes one golden file for each of `examples`."""
    model.eval()
    with torch.no_grad():
        for i, example in enumerate(examples, 1):
            arrays = {input_name: example.numpy(), output_name: model(example).numpy()}
            np.savez(FOLDER / f"{name}_{i}.npz", **arrays)
    names = {"input_names": [input_name], "output_names": [output_name]}
    torch.onnx.export(
        model,
        (examples[0],),
        FOLDER / f"{name}.onnx",
        dynamo=True,
        dynamic_shapes=({axis: torch.export.Dim(size) for axis, size in dynamic.items()},),
        **names,
    )
    clean(FOLDER / f"{name}.onnx")
    torch.onnx.export(
        model,
        (examples[0],),
        FOLDER / f"{name}_torchscript.onnx",
        dynamo=False,
        dynamic_axes={input_name: dynamic, output_name: dynamic},
        **names,
    )


def main():
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    batches = [torch.tensor([[1.0, 2, 3], [4, 5, 6]]), torch.randn(5, 3)]
    write("net", Net(), "x", "y", batches, {0: "batch"})
    digits, images = train_digits()
    write("digits", digits, "image", "scores", [images[:2], images[2:9]], {0: "batch"})
    tokens = [torch.randn(2, 5, 32), torch.randn(3, 9, 32)]
    write("mixer", Mixer(), "tokens", "mixed", tokens, {0: "batch", 1: "sequence"})


if __name__ == "__main__":
    main()
