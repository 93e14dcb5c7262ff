"""A run's folder: metrics.jsonl has what it promises, and TensorBoard reads the same numbers from the event files."""

import json

import pytest

from support import run_tool

KEYS = {"step", "consumed_tokens", "loss", "grad_norm", "learning_rate", "step_seconds", "tokens_per_second",
        "model_flops_per_second", "memory_bytes"}


def test_run_folder(tmp_path):
    run_tool("llm-pretrain", "pretrain", "llama_tiny", "data.mock=true", "trainer.max_steps=4", "trainer.eval_every=2",
             "trainer.eval_steps=1", "schedule.warmup_steps=1", "batch.global=2", "batch.micro=1", "trainer.device=cpu",
             f"trainer.run_dir={tmp_path / 'run'}")
    run_dir = tmp_path / "run"
    lines = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4]
    assert all(KEYS <= line.keys() for line in lines)
    assert ["valid_loss" in line for line in lines] == [False, True, False, True]
    config = json.loads((run_dir / "config.json").read_text())
    assert config["batch"] == {"global": 2, "micro": 1} and config["trainer"]["max_steps"] == 4
    assert "step" in (run_dir / "log.txt").read_text()

    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run_dir / "tensorboard"))
    events.Reload()
    for tag, key in (("train/loss", "loss"), ("train/learning_rate", "learning_rate"), ("train/grad_norm", "grad_norm")):
        assert [(e.step, e.value) for e in events.Scalars(tag)] == [
            (line["step"], pytest.approx(line[key], rel=1e-6)) for line in lines]
    assert [e.step for e in events.Scalars("valid/loss")] == [2, 4]
