#!/usr/bin/env python3
"""Checks the rooms of the source: a layer includes only itself and earlier ones, and no file has over 600 lines.

usage: check_layers.py [ROOT]
"""
import pathlib
import re
import sys

LAYERS = ["core", "comm", "ops", "parallel", "model", "optim", "data", "checkpoint", "recipes", "train", "launch", "cli"]
FOLDERS = ["include/longhaul", "src"]
SUFFIXES = {".h", ".cpp", ".cu", ".cuh", ".inl"}
MAX_LINES = 600
INCLUDE = re.compile(r'^\s*#\s*include\s+["<](?:longhaul/)?(\w+)/')


def problems_of(file: pathlib.Path, layer: str) -> list[str]:
    lines = file.read_text(encoding="utf-8").splitlines()
    found = []
    if len(lines) > MAX_LINES:
        found.append(f"{file}: {len(lines)} lines; split it, {MAX_LINES} is the limit")
    for number, line in enumerate(lines, 1):
        match = INCLUDE.match(line)
        if match and match[1] in LAYERS and LAYERS.index(match[1]) > LAYERS.index(layer):
            found.append(f"{file}:{number}: {layer}/ includes {match[1]}/, which stands above it: {line.strip()}")
    return found


def main() -> int:
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent
    problems, files = [], 0
    for folder in FOLDERS:
        for file in sorted((root / folder).rglob("*")):
            if file.suffix not in SUFFIXES:
                continue
            files += 1
            if file.parent == root / folder:  # for users: longhaul.h includes what it likes
                continue
            layer = file.relative_to(root / folder).parts[0]
            if layer not in LAYERS:
                problems.append(f"{file}: {layer} is no layer; the layers are {', '.join(LAYERS)}")
            else:
                problems += problems_of(file, layer)
    print("\n".join(problems) or f"{files} files, {len(LAYERS)} layers: in order")
    return 1 if problems or not files else 0


if __name__ == "__main__":
    sys.exit(main())
