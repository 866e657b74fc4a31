#!/usr/bin/env bash
# bench/placement.sh [FOLDER]: prints the tables of bench/results.md on placement. Writes the models
# first, to build/models; FOLDER has further ones. The full table of costs goes to build/placement.csv.
set -euo pipefail
cd "$(dirname "$0")/.."
[[ -x .venv/bin/python ]] || python3 -m venv .venv
.venv/bin/python -c 'import onnx' 2>/dev/null || .venv/bin/pip install --quiet onnx==1.22.0
models=build/models deep=build/models_deep
[[ -e $models/mlp.onnx ]] || .venv/bin/python models/generate.py all -o $models
for layers in 50 165 400; do
  [[ -e $deep/transformer_$layers.onnx ]] ||
    .venv/bin/python models/generate.py transformer --layers $layers -o $deep
done
cmake --preset release -DFERRY_BUILD_BENCH=ON >build/configure.log 2>&1 || { cat build/configure.log; exit 1; }
cmake --build --preset release --target ferry-bench-placement ferry-bench-planning ferry-bench-sim \
  >build/bench.log 2>&1 || { tail build/bench.log; exit 1; }
bench=build/release/bench
taskset -c 0 $bench/ferry-bench-planning 7 $models/{minilm_s128,bert_base_s128,gpt2_decode}.onnx $deep/*.onnx
echo
$bench/ferry-bench-placement build/placement.csv $models
echo
[[ $# -eq 0 ]] || $bench/ferry-bench-placement build/placement_more.csv "$1"
echo
$bench/ferry-bench-sim $models/{mlp,lenet,mobilenetv2,minilm_s32,minilm_s128,whisper_tiny_encoder}.onnx
