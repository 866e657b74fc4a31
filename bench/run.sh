#!/usr/bin/env bash
# ./dev bench: builds, then prints the table of bench/results.md. Peers come from PyPI, into .venv.
set -euo pipefail
cd "$(dirname "$0")/.."
[[ -x .venv/bin/python ]] || python3 -m venv .venv
.venv/bin/python -c 'import onnx, onnxruntime' 2>/dev/null ||
  .venv/bin/pip install --quiet onnx==1.22.0 onnxruntime
cmake --preset release -DFERRY_BUILD_BENCH=ON >build/configure.log 2>&1 || { cat build/configure.log; exit 1; }
cmake --build --preset release --target ferry-bench >build/bench.log 2>&1 || { tail build/bench.log; exit 1; }
exec .venv/bin/python bench/peers.py build/release/bench/ferry-bench "$@"
