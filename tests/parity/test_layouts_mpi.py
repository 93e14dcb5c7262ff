"""Layouts under mpirun, as users start them: metrics, validation loss and the exported model are those of one process."""
import json

import numpy as np
import pytest
from safetensors.numpy import load_file
from support import run_tool

COMMON = [
    "data.mock=true", "data.sequence_length=32", "model.vocab_size=101", "model.layers=4", "model.hidden=32", "model.heads=8",
    "model.kv_heads=2", "model.ffn_hidden=48", "batch.global=8", "batch.micro=1", "trainer.max_steps=20", "schedule.warmup_steps=2",
    "optimizer.eps=1e-4", "trainer.precision=fp32", "trainer.device=cpu", "trainer.eval_every=10", "trainer.eval_steps=3",
    "checkpoint.every=10",
]

ROWS = [
    (2, ["parallel.tensor=2"]),
    (4, ["parallel.tensor=4", "parallel.sequence=true"]),
    (2, ["parallel.pipeline=2"]),
    (2, ["parallel.pipeline=2", "parallel.virtual_pipeline=2", "parallel.schedule=interleaved"]),
    (2, []),
    (4, ["parallel.sharding=optimizer", "recompute.mode=selective"]),
    (2, ["parallel.sharding=parameters"]),
    (4, ["parallel.sharding=gradients", "parallel.pipeline=2"]),
    (4, ["parallel.tensor=2", "parallel.sequence=true", "parallel.sharding=parameters", "recompute.mode=full"]),
    (4, ["parallel.tensor=2", "parallel.pipeline=2", "parallel.schedule=gpipe", "recompute.mode=full"]),
    (2, ["parallel.tensor=2", "parallel.sequence=true", "parallel.tensor_chunks=3"]),
    (8, ["parallel.tensor=2", "parallel.pipeline=2", "parallel.sharding=optimizer", "parallel.tensor_chunks=2",
         "parallel.order=pipeline-tensor-data-context-expert"]),
    (3, ["parallel.pipeline=3", "parallel.last_stage_layers=1", "parallel.first_stage_layers=2"]),
    (8, ["parallel.tensor=2", "parallel.sequence=true", "parallel.pipeline=2", "parallel.sharding=optimizer"]),
]


def pretrain(folder, ranks, overrides):
    launch = ["launch", "local", "--ranks", ranks, "--"] if ranks > 1 else []
    return run_tool("llm-pretrain", *launch, "pretrain", "llama_tiny", *COMMON, *overrides, f"trainer.run_dir={folder}",
                    check=False)


def train(folder, ranks, overrides):
    done = pretrain(folder, ranks, overrides)
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def exported(folder):
    out = folder / "exported"
    run_tool("llm-pretrain", "export", "--checkpoint", folder, "--output", out, "--dtype", "fp32")
    return load_file(out / "model.safetensors")


@pytest.fixture(scope="module")
def one_process(tmp_path_factory):
    folder = tmp_path_factory.mktemp("one")
    return train(folder, 1, []), exported(folder)


def check(metrics, weights, truth):
    expected, expected_weights = truth
    assert len(metrics) == len(expected)
    for ours, theirs in zip(metrics, expected):
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-5)
        assert ours["grad_norm"] == pytest.approx(theirs["grad_norm"], rel=1e-4)
        assert ours["consumed_tokens"] == theirs["consumed_tokens"]
        if "valid_loss" in theirs:
            assert ours["valid_loss"] == pytest.approx(theirs["valid_loss"], rel=1e-5)
    assert set(weights) == set(expected_weights)
    for name, value in expected_weights.items():
        assert np.abs(weights[name] - value).max() <= 1e-4 * max(np.abs(value).max(), 1e-3), name


@pytest.mark.parametrize("ranks, overrides", ROWS, ids=lambda value: " ".join(value) if isinstance(value, list) else str(value))
def test_a_layout_trains_as_one_process_does(tmp_path, one_process, ranks, overrides):
    metrics = train(tmp_path, ranks, overrides)
    check(metrics, exported(tmp_path), one_process)
    assert all(0 < line["communication_seconds"] < line["step_seconds"] for line in metrics)


def test_a_run_changes_its_layout_half_way(tmp_path, one_process):
    # The schedule's end is where it was: the first half is no run of its own.
    first = train(tmp_path, 4, ["parallel.tensor=2", "parallel.pipeline=2", "trainer.max_steps=10", "schedule.decay_steps=20"])
    assert len(first) == 10
    check(train(tmp_path, 2, ["parallel.sharding=parameters"]), exported(tmp_path), one_process)


def test_a_layout_that_does_not_fit_is_refused_with_what_does(tmp_path):
    done = pretrain(tmp_path / "run", 3, ["parallel.tensor=3"])
    assert done.returncode == 2
    assert "model.heads 8 does not divide by parallel.tensor 3" in done.stderr
    assert "What fits" in done.stderr
    assert not (tmp_path / "run").exists()
