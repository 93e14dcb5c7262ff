"""Training on text that is rearranged for filling in the middle, and looking at it before."""

import json
import shutil

import pytest

from cli_support import TEXT, fails, make_model, make_tokenizer, ok, prepare, pretrain

FIM = ["<fim_prefix>", "<fim_middle>", "<fim_suffix>"]


@pytest.fixture(scope="module")
def coder(tmp_path_factory):
    """A small Llama whose tokenizer has the three tokens."""
    folder = tmp_path_factory.mktemp("coder")
    make_model(folder)
    tokenizer = make_tokenizer(folder, size=390)
    tokenizer.add_special_tokens(FIM)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture(scope="module")
def corpus(coder, tmp_path_factory):
    return prepare(tmp_path_factory.mktemp("data"), coder, TEXT * 3)


def metrics(run, key="loss"):
    return [json.loads(line).get(key) for line in (run / "metrics.jsonl").read_text().splitlines()]


RUN = ["data.fim.rate=0.9", "trainer.eval_every=2", "trainer.eval_steps=2", "checkpoint.every=2", "schedule.kind=constant",
       "data.split=8,1,1", "batch.global=4"]


@pytest.fixture(scope="module")
def whole(coder, corpus, tmp_path_factory):
    """Four steps on one rank."""
    run = tmp_path_factory.mktemp("runs") / "whole"
    ok(*pretrain(coder, corpus, run, *RUN, "trainer.max_steps=4"))
    return run


def test_training_differs_and_held_out_loss_stays_comparable(coder, corpus, whole, tmp_path):
    plain = tmp_path / "plain"
    ok(*pretrain(coder, corpus, plain, *RUN, "data.fim.rate=0", "trainer.max_steps=4", "optimizer.lr=1e-12", "optimizer.min_lr=0"))
    still = tmp_path / "still"
    ok(*pretrain(coder, corpus, still, *RUN, "trainer.max_steps=4", "optimizer.lr=1e-12", "optimizer.min_lr=0"))
    assert metrics(plain) != metrics(still), "training data must be rearranged"
    assert metrics(plain, "valid_loss")[1] == pytest.approx(metrics(still, "valid_loss")[1], abs=1e-6)
    asked = tmp_path / "asked"
    ok(*pretrain(coder, corpus, asked, *RUN, "data.fim.evaluation=true", "trainer.max_steps=4", "optimizer.lr=1e-12",
                 "optimizer.min_lr=0"))
    assert abs(metrics(asked, "valid_loss")[1] - metrics(plain, "valid_loss")[1]) > 1e-3


def test_a_resumed_run_reads_what_an_unbroken_one_reads(coder, corpus, whole, tmp_path):
    cut = tmp_path / "cut"
    shutil.copytree(whole, cut)
    shutil.rmtree(cut / "checkpoints" / "step_00000004")
    latest = cut / "checkpoints" / "latest"
    latest.write_text(latest.read_text().replace("4", "2"))
    result = ok(*pretrain(coder, corpus, cut, *RUN, "trainer.max_steps=4"))
    assert "after step 2" in result.stderr and "changed since" not in result.stderr, result.stderr
    assert metrics(cut)[-2:] == metrics(whole)[-2:]
    result = ok(*pretrain(coder, corpus, cut, *RUN, "data.fim.rate=0.5", "trainer.max_steps=6"))
    assert "data.fim" in result.stderr, result.stderr


def test_two_ranks_read_what_one_reads(coder, corpus, whole, tmp_path):
    ok("launch", "local", "--ranks", 2, "--", *pretrain(coder, corpus, tmp_path / "two", *RUN, "trainer.max_steps=4"))
    assert metrics(tmp_path / "two") == pytest.approx(metrics(whole), rel=1e-5)


def test_preview_shows_what_will_be_read(coder, corpus):
    arguments = pretrain(coder, corpus, "unused", *RUN, "data.fim.rate=1", "data.sequence_length=200")[1:]
    shown = ok("data", "preview", *arguments, "--batches", 3, "--characters", 0).stdout
    assert all(token in shown for token in FIM)
    assert shown == ok("data", "preview", *arguments, "--batches", 3, "--characters", 0).stdout


def test_what_is_missing_is_named(coder, corpus, hf, tmp_path):
    def refused(message, *arguments):
        fails(2, message, *arguments, "data.fim.rate=0.5")

    refused(["data.fim.middle_token", '"<fim_hole>"'], *pretrain(coder, corpus, tmp_path / "a", "data.fim.middle_token=<fim_hole>"))
    refused(["data.fim.split_sample", '"<file>"'], *pretrain(coder, corpus, tmp_path / "a", "data.fim.split_sample=<file>"))
    other = prepare(tmp_path, hf, name="other")
    refused(["data.fim.prefix_token", '"<fim_prefix>"'], *pretrain(hf, other, tmp_path / "b"))
    scratch = ["pretrain", "llama_tiny", f"trainer.run_dir={tmp_path / 'c'}", "model.vocab_size=400", "trainer.max_steps=1",
               "schedule.warmup_steps=0", "data.sequence_length=32"]
    refused(["data.fim.rate is 0.5", "set data.tokenizer"], *scratch, f"data.train={corpus}", "data.mock=false")
    refused(["data.fim.rate is 0.5", "data.mock has no text"], *scratch, "data.mock=true")
    fails(2, ["data.fim.rate", "at most 1"], *scratch, "data.fim.rate=2")
