"""How scripts/setup looks for a GPU, with an nvidia-smi that answers what the test wants."""

import pathlib
import subprocess

import pytest

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "scripts"


def look(folder, answer):
    """The exit code of has_usable_gpu, and what it says. `answer`: lines of shell."""
    tool = folder / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{answer}\n")
    tool.chmod(0o755)
    script = f'set -euo pipefail; . "{SCRIPTS}/lib/common.sh"; . "{SCRIPTS}/lib/cuda.sh"; PATH="{folder}:$PATH"; has_usable_gpu'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=30)
    assert done.stdout == ""
    return done.returncode, done.stderr


@pytest.mark.parametrize("answer", ["echo 580.65.06", "echo 580.65.06; echo 590.1", "echo a warning >&2; echo 1000.2"])
def test_a_new_driver_is_enough(tmp_path, answer):
    assert look(tmp_path, answer) == (0, "")


@pytest.mark.parametrize("answer, seen", [
    ("echo 579.99.01; echo 579.99.01", "the NVIDIA driver is 579.99.01; GPUs want 580 or later"),
    ("echo No devices were found", "nvidia-smi lists no GPU (it says 'No devices were found' and exits with 0)"),
    ("echo NVIDIA-SMI has failed; echo more; exit 9", "nvidia-smi lists no GPU (it says 'NVIDIA-SMI has failed' and exits with 9)"),
    ("exit 127", "nvidia-smi lists no GPU (it says 'nothing' and exits with 127)"),
    ("exit 124", "nvidia-smi has given no answer in a minute"),
])
def test_otherwise_it_says_in_a_line_what_it_saw_and_what_to_do(tmp_path, answer, seen):
    code, said = look(tmp_path, answer)
    assert code == 1 and said.count("\n") == 1
    assert f"==> {seen}" in said
    assert "set up for the CPU; scripts/setup --gpu sets it up for GPUs all the same" in said
