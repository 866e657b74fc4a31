#!/usr/bin/env bash
# install_test.sh BUILD SOURCE
set -euo pipefail
build=$1 source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake --install "$build" --prefix "$work/first" >/dev/null
mv "$work/first" "$work/prefix" # the package must not remember where it was
cmake -S "$source/examples" -B "$work/build" -G Ninja -DCMAKE_PREFIX_PATH="$work/prefix" \
  -DCMAKE_BUILD_TYPE=Release >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
cmake --build "$work/build" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }

expect() { # expect FILE TEXT
  [[ $(<"$1") == *"$2"* ]] || { echo "missing: $2"; cat "$1"; exit 1; }
}

"$work/build/seed" "$source/models/net.onnx" sim:0 >"$work/seed"
cat "$work/seed"
expect "$work/seed" "tensor([[1., 2., 3.],
        [4., 5., 6.]], device='sim:0')"
expect "$work/seed" "  (fc1): Linear(in_features=3, out_features=2, bias=True)"
expect "$work/seed" "placed 2/2 nodes on sim:0 (simulated)"
"$work/build/seed" "$source/models/net.onnx" cpu >/dev/null

"$work/build/classify" "$source/models/digits.onnx" "$source/models/digits_1.npz" >"$work/classify"
expect "$work/classify" "picture 0: 0"
"$work/build/placement" "$source/models/mixer.onnx" sim:0 >"$work/placement"
expect "$work/placement" "cpu  host_value  Shape"
"$work/build/custom_operator" "$source/examples/soft_clip.onnx" >"$work/custom"
expect "$work/custom" "Ferry knows no operator of the domain 'my.domain'"
expect "$work/custom" "0 problems"
expect "$work/custom" "sim:0  requested  Mul
cpu  no_kernel  my.domain.SoftClip"
# The same elements from both devices: |2 tanh(w x / 2)|, here of the first row.
[[ $(grep -c "0.9242, 1.9998, 1.9998" "$work/custom") == 2 ]] || { cat "$work/custom"; exit 1; }

# Nothing of the libraries that Ferry is made of is visible, and the program runs alone.
library=$(ls "$work"/prefix/lib*/libferry.so 2>/dev/null || ls "$work"/prefix/lib/*/libferry.so)
if nm -DC --defined-only "$library" | grep -E ' (google::protobuf|fmt::|hwy::|nlohmann::)'; then
  echo "libferry exports symbols of third parties"
  exit 1
fi
"$work/prefix/bin/ferry" demo >/dev/null
echo "install_and_consume: ok"
