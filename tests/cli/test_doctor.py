"""What `doctor` says of GPUs, with programs in the place of nvidia-smi."""

import shutil
import subprocess
import time

import pytest
from cli_support import PROGRAM

H100 = "580.65.06, 81559, 9.0, 00000000:19:00.0, NVIDIA H100 80GB HBM3"
V100 = "580.65.06, 32768, 7.0, 00000000:3B:00.0, Tesla V100-SXM2-32GB"
MATRIX = "\tGPU0\tGPU1\tCPU Affinity\nGPU0\t X \tNV18\t0-47\nGPU1\tNV18\t X \t0-47"


def doctor(folder, script=None, environment=None):
    if script is not None:
        (folder / "nvidia-smi").write_text("#!/bin/sh\n" + script)
        (folder / "nvidia-smi").chmod(0o755)
    done = subprocess.run([PROGRAM, "doctor"], capture_output=True, text=True, timeout=120,
                          env={"PATH": f"{folder}:/usr/bin:/bin", "HOME": str(folder)} | (environment or {}))
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(shutil.which("nvidia-smi") is not None, reason="there is a driver: what doctor says without one was not tested")
def test_without_a_driver_one_line_says_so(tmp_path):
    lines = [line for line in doctor(tmp_path).splitlines() if "NVIDIA driver" in line]
    assert len(lines) == 1 and "nvidia-smi was not found" in lines[0] and "install" in lines[0]


def test_it_lists_gpus(tmp_path):
    script = f'case "$1" in --query*) echo "{H100}"; echo "{V100}";; topo) printf "{MATRIX}";; esac\n'.replace("\n\t", "\\n\\t")
    text = doctor(tmp_path, script, {"CUDA_VISIBLE_DEVICES": "1"})
    rows = {line.split("  ")[0].strip(): line for line in text.splitlines()}
    assert "580.65.06" in rows["NVIDIA driver"]
    assert "NVIDIA H100 80GB HBM3, 79.65 GiB, compute capability 9.0: " in rows["GPU 0"]
    assert "too old" in rows["GPU 1"]
    assert "NVLink (NV18)" in rows["links between GPUs"]
    assert rows["CUDA_VISIBLE_DEVICES"].endswith("1")
    assert text.count("0000:19:00.0") == 1 and "0000:3b:00.0" in text
    if "yes" in rows["CUDA in this build"]:
        assert rows["GPU 0"].endswith("supported") and "NCCL, for several GPUs" in rows
        # All libraries are here, and load; where there is no GPU they find none.
        assert "works" in rows["LibTorch on GPUs"] or "finds no CUDA device" in rows["LibTorch on GPUs"]


def test_a_driver_in_trouble_does_not_hold_it(tmp_path):
    start = time.monotonic()
    text = doctor(tmp_path, "sleep 300\n")
    assert time.monotonic() - start < 100 and "does not answer" in text
    assert "nvidia-smi fails" in doctor(tmp_path, "echo 'Driver/library version mismatch'; exit 18\n")
