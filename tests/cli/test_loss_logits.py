"""loss.logits: what a BF16 run trains on. On the CPU, which rounds the logits where it is told to."""

import json

import pytest

import cli_support


def metrics(folder, logits):
    cli_support.ok("pretrain", "llama_tiny", "data.mock=true", "trainer.device=cpu", "trainer.precision=bf16", "trainer.max_steps=2", "schedule.warmup_steps=0",
                   "trainer.eval_every=1", "trainer.eval_steps=1", "data.split=90,10,0", f"loss.logits={logits}", f"trainer.run_dir={folder}")
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()], (folder / "log.txt").read_text()


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return {logits: metrics(tmp_path_factory.mktemp(logits) / "run", logits) for logits in ("auto", "fp32", "bf16")}


def test_they_reach_the_loss(runs):
    losses = {logits: steps[0]["loss"] for logits, (steps, _) in runs.items()}
    assert losses["auto"] == losses["fp32"] != losses["bf16"]
    assert abs(losses["bf16"] - losses["fp32"]) < 1e-2


def test_evaluations_are_in_fp32(runs):
    """Before the first step the weights are the same."""
    before = {logits: next(line for line in log.splitlines() if "before training: validation loss" in line).split("validation loss")[1] for logits, (_, log) in runs.items()}
    assert before["auto"] == before["fp32"] == before["bf16"]
