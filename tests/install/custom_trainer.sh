#!/usr/bin/env bash
# Installs a build into a folder, moves the folder (an installation may not depend on where it was made), builds
# docs/examples/custom_trainer against it, and runs that and the installed program without LD_LIBRARY_PATH.
#
# usage: custom_trainer.sh BUILD_FOLDER CXX_COMPILER
set -euo pipefail
build="$1" compiler="$2"
source=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset LD_LIBRARY_PATH LIBRARY_PATH
fail() { echo "FAILED: $*" >&2; exit 1; }

cmake --install "$build" --prefix "$work/first" > "$work/install.log" || { cat "$work/install.log"; fail "cmake --install"; }
mv "$work/first" "$work/prefix"
for path in bin/llm-pretrain lib/liblonghaul.so include/longhaul/train/trainer.h lib/cmake/Longhaul/LonghaulConfig.cmake \
  lib/cmake/Longhaul/LonghaulConfigVersion.cmake lib/cmake/Longhaul/LonghaulTargets.cmake \
  share/longhaul/recipes/llama_tiny.json share/longhaul/configs share/longhaul/tools; do
  [ -e "$work/prefix/$path" ] || fail "$path is not installed"
done
"$work/prefix/bin/llm-pretrain" recipes list | grep llama_tiny >/dev/null || fail "the installed llm-pretrain does not run"

# Without CMake's own rpath, as a program has it that its user installs: what the package brings must do.
cmake -G Ninja -S "$source/docs/examples/custom_trainer" -B "$work/build" -DCMAKE_CXX_COMPILER="$compiler" \
  -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_SKIP_RPATH=ON
cmake --build "$work/build"
"$work/build/custom_trainer" "$work/model" | tee "$work/output"

# Its exit code says that the held-out loss got below its goal; here, that the loss is the one that it began with, less
# a good deal, and that the folder is a model.
awk '/held-out loss/ { if (first == "") first = $NF; last = $NF }
     END { exit !(first > 5 && last < first / 2) }' "$work/output" || fail "the held-out loss did not fall"
for file in config.json model.safetensors; do [ -s "$work/model/$file" ] || fail "no $file was exported"; done
echo "installed, built and trained"
