"""A run of several processes on a blend: one builds the order, and what they train on is what one process trains on."""

import json
import os
import pathlib
import random
import signal
import subprocess
import time

import pytest

from cli_support import TEXT, ok, prepare, pretrain, write_dataset

BUILD = pathlib.Path(os.environ.get("LONGHAUL_BUILD_DIR", pathlib.Path(__file__).resolve().parents[2] / "build"))


def start(folder, prefixes, samples=300_000):
    """A process that builds the training data of a blend and prints its first samples."""
    data = {"train": f"0.3 {prefixes[0]} 0.7 {prefixes[1]}", "split": "1,0,0", "sequence_length": 4, "cache_dir": str(folder)}
    request = [{"do": "datasets", "data": data, "requested": [samples, 0, 0], "tokenizer": "null", "first": 50}]
    process = subprocess.Popen([BUILD / "bin" / "blend_tool"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    process.stdin.write(json.dumps(request))
    process.stdin.close()
    return process


def result(process):
    out, errors = process.stdout.read(), process.stderr.read()
    assert process.wait() == 0, errors
    return json.loads(out), errors


@pytest.fixture(scope="module")
def prefixes(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("corpora"), random.Random(1)
    return [write_dataset(folder / name, [[rng.randrange(1000) for _ in range(rng.randrange(1, 60))] for _ in range(3000)])
            for name in "ab"]


def test_one_process_builds_while_the_others_wait(prefixes, tmp_path):
    answers = [result(process) for process in [start(tmp_path, prefixes) for _ in range(4)]]
    assert sum(errors.count("built the order of") for _, errors in answers) == 3, [errors for _, errors in answers]
    assert all(answer == answers[0][0] for answer, _ in answers)


def test_a_killed_builder_leaves_nothing_that_is_read(prefixes, tmp_path):
    expected, _ = result(start(tmp_path / "whole", prefixes))
    killed = 0
    for delay in (0.05, 0.1, 0.2, 0.3, 0.4):
        cache = tmp_path / str(delay)
        process = start(cache, prefixes)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        answer, _ = result(start(cache, prefixes))
        assert answer == expected
    assert killed > 0


def test_two_ranks_train_on_a_blend_as_one_does(hf, tmp_path):
    a, b = (prepare(tmp_path, hf, [f"{name}{i} {text}" for i, text in enumerate(TEXT)], name) for name in "AB")
    common = ["batch.global=4", "trainer.max_steps=3", "checkpoint.every=0", "schedule.kind=constant"]
    ok(*pretrain(hf, f"0.3 {a} 0.7 {b}", tmp_path / "one", f"data.cache_dir={tmp_path / 'cache1'}", *common))
    command = pretrain(hf, f"0.3 {a} 0.7 {b}", tmp_path / "two", f"data.cache_dir={tmp_path / 'cache2'}", *common)
    ok("launch", "local", "--ranks", 2, "--", *command)

    def losses(run):
        return [json.loads(line)["loss"] for line in (tmp_path / run / "metrics.jsonl").read_text().splitlines()]

    assert len(losses("two")) == 3
    assert losses("two") == pytest.approx(losses("one"), rel=1e-5)
