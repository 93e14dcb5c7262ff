"""A run's folder: metrics.jsonl has what it promises, and TensorBoard reads the same numbers from the event files."""

import json
import struct

import pytest

from support import run_tool

KEYS = {"step", "consumed_tokens", "loss", "grad_norm", "learning_rate", "step_seconds", "tokens_per_second",
        "model_flops_per_second", "memory_bytes", "communication_seconds"}


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
    assert all(line["communication_seconds"] == 0 for line in lines), "one process has nobody to talk to"
    assert {"global": 2, "micro": 1}.items() <= config["batch"].items() and config["trainer"]["max_steps"] == 4
    assert "step" in (run_dir / "log.txt").read_text()

    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run_dir / "tensorboard"))
    events.Reload()
    for tag, key in (("train/loss", "loss"), ("train/learning_rate", "learning_rate"), ("train/grad_norm", "grad_norm")):
        assert [(e.step, e.value) for e in events.Scalars(tag)] == [
            (line["step"], pytest.approx(line[key], rel=1e-6)) for line in lines]
    assert [e.step for e in events.Scalars("valid/loss")] == [2, 4]


def test_a_test_set_is_evaluated_after_the_last_step(tmp_path):
    # 30 whole samples of 40 tokens: `eval` would keep a partial one, which changes the order.
    documents = [[(3 * i + 5 * j) % 256 for j in range(40)] for i in range(30)] + [[1]]
    for name in ("train", "held_out"):
        (tmp_path / f"{name}.bin").write_bytes(b"".join(struct.pack(f"<{len(d)}H", *d) for d in documents))
        (tmp_path / f"{name}.idx").write_bytes(
            b"MMIDIDX\0\0" + struct.pack("<QBQQ", 1, 8, 31, 32) + struct.pack("<31i", *[40] * 30, 1)
            + struct.pack("<31q", *range(0, 2401, 80)) + struct.pack("<32q", *range(32)))
        documents = [document[::-1] for document in documents]
    run_dir, common = tmp_path / "run", ["trainer.eval_every=0", "trainer.eval_steps=2", "batch.global=4", "batch.micro=2"]
    result = run_tool("llm-pretrain", "pretrain", "llama_tiny", f"data.train={tmp_path / 'train'}", f"data.test={tmp_path / 'held_out'}",
                      "data.sequence_length=40", "trainer.max_steps=3", "schedule.warmup_steps=1", "trainer.device=cpu",
                      "trainer.precision=fp32", f"trainer.run_dir={run_dir}", *common)
    lines = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    assert ["test_loss" in line for line in lines] == [False, False, True]
    assert not any("valid_loss" in line for line in lines)
    assert f"{lines[-1]['test_loss']:.4f}" in [line.split()[-1] for line in result.stdout.splitlines() if line.startswith("test loss")]
    again = json.loads(run_tool("llm-pretrain", "eval", "--model", run_dir, "--data", tmp_path / "held_out", "--sequence-length", 40,
                                "--samples", 8, "--precision", "fp32", "--device", "cpu", "--json").stdout)
    assert again["loss"] == pytest.approx(lines[-1]["test_loss"], rel=1e-5)
