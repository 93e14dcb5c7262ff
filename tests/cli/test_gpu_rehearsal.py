"""What tests/gpu does before a GPU is needed, on the CPU: its ranks start and train, its settings are accepted, its patterns tell tables apart."""

import re
import sys
import time

import pytest

from cli_support import ROOT

sys.path.append(str(ROOT / "tests" / "gpu"))
import test_training_gpu as gpu  # noqa: E402

CPU = ["trainer.device=cpu", "trainer.threads=1"]


@pytest.fixture(scope="module")
def one_rank(tmp_path_factory):
    return gpu.train(tmp_path_factory.mktemp("ranks") / "one", *gpu.RANKS, *CPU)


@pytest.mark.parametrize("ranks, layout", gpu.LAYOUTS.values(), ids=gpu.LAYOUTS)
def test_ranks_start_and_follow_one_rank(tmp_path, one_rank, ranks, layout):
    several = gpu.train(tmp_path / "several", *gpu.RANKS, *CPU, *layout, ranks=ranks)
    assert max(abs(a - b) for a, b in zip(gpu.losses(one_rank), gpu.losses(several), strict=True)) < 1e-4
    assert f"{ranks} ranks" in (tmp_path / "several" / "log.txt").read_text()  # and not each a run of its own


def test_a_rank_that_fails_is_told(tmp_path):
    with pytest.raises(AssertionError, match="no.such"):
        gpu.train(tmp_path / "run", *CPU, "no.such=1", ranks=2)


def rank_program(monkeypatch, folder, text):
    """A script in the program's place."""
    program = folder / "program"
    program.write_text(f"#!/bin/bash\n{text}\n")
    program.chmod(0o755)
    monkeypatch.setattr(gpu, "PROGRAM", program)


@pytest.mark.parametrize("dead", [0, 1])
@pytest.mark.parametrize("way, code", [("exit 3", 3), ("kill -9 $$", -9)], ids=["fails", "is killed"])
def test_a_dead_rank_is_told_at_once(monkeypatch, tmp_path, dead, way, code):
    """The others wait for it, in NCCL say."""
    rank_program(monkeypatch, tmp_path, f"[ $RANK = {dead} ] || exec sleep 100\necho out of luck >&2; {way}")
    begin = time.monotonic()
    with pytest.raises(AssertionError) as told:
        gpu.train(tmp_path / "run", ranks=2)
    assert time.monotonic() - begin < 30
    for line in (rf"rank {dead}: exit code {code}\s+out of luck", f"rank {1 - dead}: had not ended"):
        assert re.search(line, str(told.value)), told.value


def test_ranks_that_hang_are_told(monkeypatch, tmp_path):
    rank_program(monkeypatch, tmp_path, "echo step $RANK >&2; exec sleep 100")
    with pytest.raises(AssertionError, match=r"rank 0: had not ended\s+step 0\s+rank 1: had not ended\s+step 1"):
        gpu.train(tmp_path / "run", ranks=2, seconds=3)


def test_a_rank_that_is_slower_to_end_is_waited_for(monkeypatch, tmp_path):
    rank_program(monkeypatch, tmp_path, f"[ $RANK = 0 ] || sleep 1; echo {{}} >> {tmp_path}/run/metrics.jsonl")
    (tmp_path / "run").mkdir()
    assert gpu.train(tmp_path / "run", ranks=2) == [{}, {}]


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_rank_keeps_the_loaders_path(monkeypatch, tmp_path, ranks):
    """Where some machines have the driver."""
    rank_program(monkeypatch, tmp_path, "echo path $LD_LIBRARY_PATH of ${RANK:-0} >&2; exit 1")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/usr/local/nvidia/lib64")
    with pytest.raises(AssertionError, match=f"path /usr/local/nvidia/lib64 of {ranks - 1}"):
        gpu.train(tmp_path / "run", ranks=ranks)


def test_a_gpt_without_dropout_trains(tmp_path):
    steps = gpu.train(tmp_path / "run", *gpu.SMALL, *gpu.NO_DROPOUT, *CPU, "trainer.precision=bf16", "trainer.max_steps=6", recipe="gpt_tiny")
    assert len(steps) == 6


def test_a_profiles_rows_with_and_without_a_rate(tmp_path):
    gpu.train(tmp_path / "run", *CPU, "trainer.max_steps=6", "trainer.profile=5..6")
    log = (tmp_path / "run" / "log.txt").read_text()
    lines = log[log.index("profile of steps 5-6"):].splitlines(keepends=True)
    rates = [line for line in lines if re.search(gpu.PRODUCT_ROW, line)]
    shares = [line for line in lines if line.endswith(" %\n") and line not in rates]
    assert rates and all(line.startswith("gemm ") for line in rates)
    assert shares and not any(line.startswith("gemm ") for line in shares)
