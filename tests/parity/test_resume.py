"""Kill a run at many moments, also while it saves; restart it; the end must be bit-equal to an uninterrupted run."""

import json
import pathlib
import random
import signal
import subprocess
import time

import pytest
import safetensors.torch
import torch

from support import BUILD, environment, run_tool

STEPS = 24


def command(run_dir, *more):
    return [BUILD / "bin" / "llm-pretrain", "pretrain", "gpt_tiny", "data.mock=true", "model.hidden_dropout=0.1",
            "model.layers=2", "model.hidden=64", "model.heads=2", "model.kv_heads=2", "model.ffn_hidden=128", "data.sequence_length=32",
            "batch.global=4", "batch.micro=2", f"trainer.max_steps={STEPS}", "schedule.warmup_steps=4",
            "trainer.precision=bf16", "trainer.deterministic=true", "trainer.device=cpu", "trainer.threads=1",
            "trainer.eval_every=8", "trainer.eval_steps=1", "checkpoint.every=2", "checkpoint.keep_last=3",
            f"trainer.run_dir={run_dir}", *more]


def final_state(run_dir):
    folder = pathlib.Path(run_dir) / "checkpoints" / f"step_{STEPS:08}"
    tensors = {}
    for path in sorted(folder.glob("*.safetensors")):
        for name, value in safetensors.torch.load_file(path).items():
            tensors[f"{path.name}/{name}"] = value
    return tensors


def metrics(run_dir):
    keys = ("step", "consumed_tokens", "loss", "grad_norm", "learning_rate", "valid_loss")
    lines = (pathlib.Path(run_dir) / "metrics.jsonl").read_text().splitlines()
    return [{key: value for key, value in json.loads(line).items() if key in keys} for line in lines]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("uninterrupted") / "run"
    start = time.time()
    subprocess.run(command(run_dir), check=True, capture_output=True, env=environment())
    return run_dir, time.time() - start


def assert_same(run_dir, reference):
    ours, theirs = final_state(run_dir), final_state(reference)
    assert ours.keys() == theirs.keys() and len(ours) > 10
    for name, value in theirs.items():
        assert torch.equal(ours[name], value), name
    assert metrics(run_dir) == metrics(reference)


@pytest.mark.parametrize("asynchronous", ["true", "false"])
def test_killed_at_many_moments(asynchronous, uninterrupted, tmp_path):
    reference, seconds = uninterrupted
    run_dir = tmp_path / "run"
    generator = random.Random(7)
    kills = 0
    for _ in range(40):
        process = subprocess.Popen(command(run_dir, f"checkpoint.async={asynchronous}"), stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, env=environment())
        try:
            # Later than the start-up, mostly, so that the run gets somewhere; now and then within it.
            _, error = process.communicate(timeout=generator.uniform(0.3, 1.0) * seconds)
            assert process.returncode == 0, error.decode()[-1000:]
            break
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            kills += 1
            if kills == 8:
                seconds *= 10  # enough moments; let it finish
    assert kills >= 3
    assert_same(run_dir, reference)


def test_killed_while_a_checkpoint_is_written(uninterrupted, tmp_path):
    """Kills as soon as a half-written checkpoint is seen, several times, then lets the run finish."""
    reference, _ = uninterrupted
    run_dir, caught = tmp_path / "run", 0
    for _ in range(6):
        process = subprocess.Popen(command(run_dir), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   env=environment())
        while process.poll() is None:
            if any((run_dir / "checkpoints").glob("*.partial-*")):
                process.send_signal(signal.SIGKILL)
                caught += 1
                break
        process.wait()
    subprocess.run(command(run_dir), check=True, capture_output=True, env=environment())
    assert caught >= 1
    assert not list((run_dir / "checkpoints").glob("*.partial-*"))
    assert_same(run_dir, reference)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_saves_and_leaves_in_order(number, uninterrupted, tmp_path):
    reference, _ = uninterrupted
    run_dir = tmp_path / "run"
    process = subprocess.Popen(command(run_dir, "checkpoint.every=0"), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               env=environment())
    while process.poll() is None and not (run_dir / "metrics.jsonl").exists():
        time.sleep(0.01)
    while process.poll() is None and len(metrics(run_dir)) < 3:
        time.sleep(0.01)
    process.send_signal(number)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 0
    assert signal.Signals(number).name in error.decode()
    saved = list((run_dir / "checkpoints").glob("step_*"))
    assert len(saved) == 1
    result = run_tool("llm-pretrain", *command(run_dir, "checkpoint.every=0")[1:])
    assert "resuming" in result.stderr
    assert_same(run_dir, reference)


def test_finished_run_says_so(uninterrupted):
    reference, _ = uninterrupted
    result = run_tool("llm-pretrain", *command(reference)[1:])
    assert "has taken all its" in result.stdout


def test_damaged_checkpoint_falls_back(uninterrupted, tmp_path):
    run_dir = tmp_path / "run"
    subprocess.run(command(run_dir), check=True, capture_output=True, env=environment())
    newest = run_dir / "checkpoints" / f"step_{STEPS:08}"
    victim = sorted(newest.glob("*.safetensors"))[0]
    data = bytearray(victim.read_bytes())
    data[-1] ^= 1
    victim.write_bytes(data)
    result = run_tool("llm-pretrain", *command(run_dir)[1:])
    assert "warning" in result.stderr and victim.name in result.stderr
    assert_same(run_dir, uninterrupted[0])
