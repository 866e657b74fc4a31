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
  xargs -P 2 -n 8 clang-tidy -p build/release --quiet --warnings-as-errors='*' \
    --extra-arg=-Wno-unknown-warning-option 2>build/tidy.log || {
  failed=1
}

if command -v nvcc >/dev/null; then
  echo "nvcc: libferry_cuda.so"
  cmake --build --preset release --target ferry_cuda >build/nvcc.log 2>&1 || {
    grep -E 'error|FAILED' build/nvcc.log | head -n 20
    failed=1
  }
fi

if ((failed)); then echo "check: failed"; else echo "check: ok"; fi
exit "$failed"
