"""The machine code of the CUDA kernels, which needs no GPU to look at: packs move whole, and nothing spills.

A source that reads well can still store a pack of 16 bytes as eight stores of 2: nvcc does that where it loses track of alignment.
"""

import os
import pathlib
import re
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tools"))
import kernel_report as tool  # noqa: E402

BUILD = pathlib.Path(os.environ.get("LONGHAUL_BUILD_DIR", ROOT / "build"))
LIBRARY = BUILD / "lib" / "liblonghaul.so"

BUILT_FOR = re.search(r"^LONGHAUL_CUDA_BUILT_FOR:INTERNAL=(.*)$", (BUILD / "CMakeCache.txt").read_text(), re.MULTILINE)
ARCHITECTURES = ["sm_" + word for word in re.findall(r"\b(\d+a?)(?!\d|a|-virtual)", BUILT_FOR[1] if BUILT_FOR else "")]
pytestmark = pytest.mark.skipif(not ARCHITECTURES, reason="built without CUDA: no machine code of kernels was looked at")


@pytest.fixture(scope="module", params=ARCHITECTURES)
def kernels(request):
    assert tool.cuobjdump(), "cuobjdump is missing: scripts/setup --test installs it"
    found = tool.kernels(LIBRARY, request.param)
    assert len(found) > 100
    return found


def elements(kernel):
    """Of a kernel's template arguments: the types of numbers, and how many a pack has (None: the kernel has no packs)."""
    match = re.search(r"<(.*)>$", kernel["name"])
    words = [word.strip() for word in match[1].split(",")] if match else []
    packs = [int(word) for word in words if word.isdigit()]
    types = [word for word in words if word in ("float", "double", "__nv_bfloat16")]
    return types, packs[-1] if packs else None


# How many stores of a kernel are of single numbers beside its packs: a row's statistics, losses, or sums over rows that threads share.
BESIDE_PACKS = {("norm_cuda", "forward_kernel"): 2, ("norm_cuda", "backward_kernel"): 4, ("cross_entropy_rows_cuda", "rows_kernel"): 7}
SIZES = {"float": 4, "double": 8, "__nv_bfloat16": 2}


def test_packs_move_whole(kernels):
    looked_at = 0
    for kernel in kernels:
        types, pack = elements(kernel)
        if pack is None or pack == 1 or not types:
            continue
        looked_at += 1
        width = min(128, 8 * pack * min(SIZES[name] for name in types))
        narrow = {bits: count for bits, count in kernel["stores"].items() if bits < width}
        beside = BESIDE_PACKS.get((kernel["file"], kernel["name"].split("<")[0]), 0)
        assert sum(narrow.values()) <= beside, f"{kernel['file']} {kernel['name']}: stores by bits {narrow}, packs have {width}"
        assert kernel["stores"].get(width, 0) > 0, kernel["name"]
        assert kernel["loads"].get(128, 0) > 0, kernel["name"]
    assert looked_at > 40


def test_nothing_spills_in_training_types(kernels):
    spilling = [kernel["name"] for kernel in kernels if kernel["local"] and "double" not in kernel["name"]]
    assert not spilling
