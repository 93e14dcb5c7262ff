"""Kill a run at many moments, also while it saves; restart it; the end must be bit-equal to an uninterrupted run."""

import json
import os
import pathlib
import random
import signal
import struct
import subprocess
import time

import pytest
import safetensors.torch
import torch

from support import BUILD, run_tool

STEPS = 24


def write_corpus(folder):
    """A .bin/.idx pair of 16-bit ids, less than the run's samples, so that it takes more than one epoch."""
    documents = [[(7 * i * i + j * (i + 3)) % 256 for j in range(20 + 13 * i % 90)] for i in range(40)]
    lengths = [len(document) for document in documents]
    offsets = [2 * sum(lengths[:i]) for i in range(len(lengths))]
    n = len(documents)
    (folder / "corpus.bin").write_bytes(b"".join(struct.pack(f"<{len(d)}H", *d) for d in documents))
    (folder / "corpus.idx").write_bytes(
        b"MMIDIDX\0\0" + struct.pack("<QBQQ", 1, 8, n, n + 1)
        + struct.pack(f"<{n}i{n}q{n + 1}q", *lengths, *offsets, *range(n + 1)))
    return folder / "corpus"


# Threads that wait must not spin: there may be fewer cores than threads.
ENVIRONMENT = os.environ | {"OMP_WAIT_POLICY": "passive"}


def command(run_dir, *more, recipe="gpt_tiny"):
    return [BUILD / "bin" / "llm-pretrain", "pretrain", recipe, "model.hidden_dropout=0.1",
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


def steps_logged(run_dir):
    path = pathlib.Path(run_dir) / "metrics.jsonl"
    return path.read_text().count("\n") if path.exists() else 0


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"))


def run_whole(run_dir, *more):
    subprocess.run(command(run_dir, *more), check=True, capture_output=True, env=ENVIRONMENT)
    return run_dir


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    return run_whole(tmp_path_factory.mktemp("uninterrupted") / "run")


def assert_same(run_dir, reference):
    ours, theirs = final_state(run_dir), final_state(reference)
    assert ours.keys() == theirs.keys() and len(ours) > 10
    for name, value in theirs.items():
        assert torch.equal(ours[name], value), name
    assert metrics(run_dir) == metrics(reference)


@pytest.mark.parametrize("asynchronous, files, threads", [("true", False, 1), ("false", False, 1), ("true", True, 2)])
def test_killed_at_many_moments(asynchronous, files, threads, uninterrupted, corpus, tmp_path):
    more = [f"checkpoint.async={asynchronous}"]
    more += [f"data.train={corpus}", f"trainer.threads={threads}"] if files else []
    reference = run_whole(tmp_path / "whole", *more) if files else uninterrupted
    run_dir = tmp_path / "run"
    generator = random.Random(7)
    kills = 0
    # Two moments in the start-up, the others when so many steps are in metrics.jsonl, and a little later.
    for steps in [0, 0] + sorted(generator.sample(range(1, STEPS - 6), 5)):
        process = subprocess.Popen(command(run_dir, *more), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   env=ENVIRONMENT)
        while steps > 0 and process.poll() is None and steps_logged(run_dir) < steps:
            time.sleep(0.002)
        time.sleep(generator.uniform(0, 0.02 if steps > 0 else 0.3))
        kills += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run(command(run_dir, *more), check=True, capture_output=True, env=ENVIRONMENT)
    assert kills >= 3
    assert_same(run_dir, reference)


def test_killed_while_a_checkpoint_is_written(uninterrupted, tmp_path):
    """Kills as soon as a half-written checkpoint is seen, several times, then lets the run finish."""
    reference = uninterrupted
    run_dir, caught = tmp_path / "run", 0
    for _ in range(6):
        process = subprocess.Popen(command(run_dir), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   env=ENVIRONMENT)
        while process.poll() is None:
            if any((run_dir / "checkpoints").glob("*.partial-*")):
                process.send_signal(signal.SIGKILL)
                caught += 1
                break
        process.wait()
    subprocess.run(command(run_dir), check=True, capture_output=True, env=ENVIRONMENT)
    assert caught >= 1
    assert not list((run_dir / "checkpoints").glob("*.partial-*"))
    assert_same(run_dir, reference)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_saves_and_leaves_in_order(number, uninterrupted, tmp_path):
    reference = uninterrupted
    run_dir = tmp_path / "run"
    process = subprocess.Popen(command(run_dir, "checkpoint.every=0"), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               env=ENVIRONMENT)
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
    reference = uninterrupted
    result = run_tool("llm-pretrain", *command(reference)[1:])
    assert "already: raise trainer.max_steps" in result.stdout


def test_damaged_checkpoint_falls_back(uninterrupted, tmp_path):
    run_dir = tmp_path / "run"
    subprocess.run(command(run_dir), check=True, capture_output=True, env=ENVIRONMENT)
    newest = run_dir / "checkpoints" / f"step_{STEPS:08}"
    victim = sorted(newest.glob("*.safetensors"))[0]
    data = bytearray(victim.read_bytes())
    data[-1] ^= 1
    victim.write_bytes(data)
    result = run_tool("llm-pretrain", *command(run_dir)[1:])
    assert "warning" in result.stderr and victim.name in result.stderr
    assert_same(run_dir, uninterrupted)


def test_a_signal_in_a_long_step_is_answered_at_once(tmp_path):
    """And a second one, an impatient user's, ends the run."""
    arguments = command(tmp_path / "run", "data.mock=true", "batch.global=400000", "trainer.eval_every=0")
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    assert any("tokens a step" in line for line in process.stderr)
    time.sleep(1)
    process.send_signal(signal.SIGTERM)
    assert any("SIGTERM came: the run ends after this step" in line for line in process.stderr)
    time.sleep(3.5)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=10) == -signal.SIGINT
    process.stderr.close()


# What may change between a run's beginning and its end.


def resume(run_dir, *more, recipe="gpt_tiny"):
    return run_tool("llm-pretrain", *command(run_dir, *more, recipe=recipe)[1:]).stderr


def manifest(run_dir, step):
    return json.loads((run_dir / "checkpoints" / f"step_{step:08}" / "manifest.json").read_text())


def test_a_smaller_batch_has_data_enough(corpus, tmp_path):
    """What the larger batches took at first is added to what the smaller ones still need."""
    run_dir, data = tmp_path / "run", f"data.train={corpus}"
    resume(run_dir, data, "batch.global=32", "trainer.max_steps=6")
    error = resume(run_dir, data, "batch.global=2")
    assert "order changed" in error and "(batch.global was 32, is 2; trainer.max_steps was 6, is " in error  # more epochs than were planned for
    assert manifest(run_dir, STEPS)["consumed_samples"] == 6 * 32 + (STEPS - 6) * 2


def test_a_longer_run_within_the_same_epoch_keeps_its_order(corpus, tmp_path):
    run_dir, data = tmp_path / "run", f"data.train={corpus}"
    resume(run_dir, data, "trainer.max_steps=5")
    assert "order changed" not in resume(run_dir, data, "trainer.max_steps=6")
    assert "order changed" in resume(run_dir, data)


def test_without_the_moments_adam_starts_anew(tmp_path):
    """Adam's first step from moments of zero moves each weight by the learning rate, whatever the gradient."""
    run_dir, lr = tmp_path / "run", 1e-3
    fixed = ["trainer.precision=fp32", "schedule.kind=constant", "schedule.warmup_steps=0", f"optimizer.lr={lr}",
             "optimizer.min_lr=1e-4", "optimizer.weight_decay=0", "optimizer.eps=1e-12", "checkpoint.every=1", "checkpoint.keep_last=0"]

    def moved(step):
        before, after = (safetensors.torch.load_file(run_dir / "checkpoints" / f"step_{s:08}" / "model-00001.safetensors")
                         for s in (step - 1, step))
        return torch.cat([(after[name] - before[name]).abs().flatten() for name in after])

    resume(run_dir, *fixed, "trainer.max_steps=4")
    resume(run_dir, *fixed, "trainer.max_steps=5", "checkpoint.load_optimizer=false")
    steps = moved(5)
    assert steps.max() < 1.001 * lr and (steps > 0.999 * lr).double().mean() > 0.5
    assert manifest(run_dir, 4)["state"]["optimizer_steps"] == 4
    assert manifest(run_dir, 5)["state"]["optimizer_steps"] == 1
    resume(run_dir, *fixed, "trainer.max_steps=7")  # with the moments of that one step
    assert manifest(run_dir, 7)["state"]["optimizer_steps"] == 3
    assert ((moved(6) - lr).abs() > 0.1 * lr).double().mean() > 0.3


def test_the_config_of_a_run_is_a_recipe_for_a_longer_one(tmp_path):
    run_dir = tmp_path / "run"
    resume(run_dir, "trainer.max_steps=12")
    resume(run_dir, recipe=run_dir / "config.json")
    whole = run_whole(tmp_path / "whole")
    rates = [[m["learning_rate"] for m in metrics(folder)[12:]] for folder in (run_dir, whole)]
    assert rates[0] == rates[1] and rates[0][0] > rates[0][-1]


def test_a_batch_that_grows_goes_on_where_it_was(tmp_path):
    """Steps of 4, 6, 8 samples, stopped while they grow, gone on with on two ranks: Megatron's rule gives the sizes."""
    ramp = ["batch.global=8", "batch.micro=1", "batch.rampup_start=4", "batch.rampup_increment=2", "batch.rampup_samples=40",
            "trainer.max_steps=12", "trainer.precision=fp32", "model.hidden_dropout=0"]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    resume(whole, *ramp)
    resume(parts, *ramp, "trainer.max_steps=7", "schedule.decay_steps=12")
    both = command(parts, *ramp)[1:]
    run_tool("llm-pretrain", "launch", "local", "--ranks", 2, "--", *both)
    consumed, expected = 0, []
    for _ in range(12):
        consumed += 8 if consumed > 40 else 4 + int(consumed / 20) * 2
        expected.append(consumed * 32)
    for run_dir in (whole, parts):
        assert [m["consumed_tokens"] for m in metrics(run_dir)] == expected
    for ours, theirs in zip(metrics(parts), metrics(whole)):
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-5)
