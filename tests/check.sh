#!/usr/bin/env bash
# Format, lint, and every .cu through nvcc where there is one. Prints what is wrong; exit 1 then.
set -euo pipefail
cd "$(dirname "$0")/.."
failed=0

mapfile -t sources < <(git ls-files '*.h' '*.cc' '*.cu')
echo "clang-format: ${#sources[@]} files"
clang-format --dry-run -Werror "${sources[@]}" || failed=1

cmake --preset release -DFERRY_BUILD_TESTS=ON >build/configure.log 2>&1 || {
  cat build/configure.log
  exit 1
}
# Generated headers must exist before a file can be read.
cmake --build --preset release --target ferry_importer >build/generated.log 2>&1 || {
  tail -n 40 build/generated.log
  exit 1
}
mapfile -t units < <(git ls-files 'core/*.cc' 'graph/*.cc' 'placement/*.cc' 'executor/*.cc')
echo "clang-tidy: ${#units[@]} files"
printf '%s\n' "${units[@]}" |
  xargs -P 2 -n 8 clang-tidy -p build/release --quiet --warnings-as-errors='*' 2>build/tidy.log || {
  failed=1
}

if command -v nvcc >/dev/null; then
  mapfile -t kernels < <(git ls-files 'kernels/cuda/*.cu' 'devices/cuda/*.cu')
  echo "nvcc: ${#kernels[@]} files for sm_90"
  mkdir -p build/nvcc
  printf '%s\n' "${kernels[@]}" | xargs -P 2 -I{} sh -c \
    'nvcc -std=c++20 -arch=sm_90 -I. -Iinclude -c "$1" -o "build/nvcc/$(echo "$1" | tr / _).o"' _ {} ||
    failed=1
fi

if ((failed)); then echo "check: failed"; else echo "check: ok"; fi
exit "$failed"
