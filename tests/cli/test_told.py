"""What a user is told, though nothing is refused."""

import json
import os
import shutil

import pytest

from cli_support import TEXT, fails, ok, pretrain, write_jsonl


def test_settings_that_changed_between_two_starts(hf, data, tmp_path):
    run = tmp_path / "run"
    ok(*pretrain(hf, data, run, "optimizer.lr=1e-3"))
    assert "since step" not in ok(*pretrain(hf, data, run, "optimizer.lr=1e-3")).stderr
    told = ok(*pretrain(hf, data, run, "optimizer.lr=2e-3", "trainer.max_steps=3", "schedule.kind=linear")).stderr
    line = next(line for line in told.splitlines() if f"since step 2 of {run}" in line)
    for change in ["optimizer.lr was 0.001, is 0.002", "trainer.max_steps was 2, is 3", 'schedule.kind was "cosine", is "linear"']:
        assert change in line
    assert "batch" not in line


def test_a_run_goes_on_without_the_folder_it_began_from(hf, data, tmp_path):
    shutil.copytree(hf, tmp_path / "model")
    once = pretrain(tmp_path / "model", data, tmp_path / "once", "trainer.max_steps=3", "schedule.kind=constant")
    ok(*once)
    first = pretrain(tmp_path / "model", data, tmp_path / "run", "schedule.kind=constant")
    ok(*first)
    shutil.rmtree(tmp_path / "model")
    told = ok(*first, "trainer.max_steps=3").stderr
    assert f"model.from {tmp_path / 'model'} is not there: the run goes on" in told
    losses = [[json.loads(line)["loss"] for line in open(tmp_path / name / "metrics.jsonl")] for name in ("once", "run")]
    assert losses[0] == losses[1] and len(losses[0]) == 3
    fails(2, "is not a folder", *pretrain(tmp_path / "model", data, tmp_path / "other"))


def test_an_empty_variable_in_place_of_a_model(data, tmp_path):
    settings = [f"trainer.run_dir={tmp_path / 'run'}", "trainer.max_steps=1", "schedule.warmup_steps=0", "trainer.eval_every=0", "trainer.device=cpu",
                "data.mock=true"]
    assert "is a variable empty?" in ok("pretrain", "llama_tiny", "model.from=", *settings).stderr


def test_documents_whose_end_is_not_marked(hf, tmp_path):
    corpus = write_jsonl(tmp_path / "c.jsonl", TEXT)
    ok("prepare", "--input", corpus, "--tokenizer", hf, "--output-prefix", tmp_path / "c")
    prefix = tmp_path / "c_text_document"
    told = ok(*pretrain(hf, prefix, tmp_path / "run", "data.reset_attention_mask=true")).stderr
    assert f"prepared without --append-eod: {prefix}." in told and "no effect of data.reset_attention_mask" in told
    assert "--append-eod" not in ok(*pretrain(hf, prefix, tmp_path / "other")).stderr


@pytest.mark.parametrize("name, content, word", [("c.txt", '{"text": "one"}\n{"text": "two"}\n', "seems to hold JSON lines"),
                                                  ("c.csv", "id,text\n1,one\n", "is a table"),
                                                  ("c.txt", "{a brace} in a text\n", None), ("c.md", "# one\n", None)])
def test_text_that_may_be_something_else(hf, tmp_path, name, content, word):
    (tmp_path / name).write_text(content)
    told = ok("prepare", "--input", tmp_path / name, "--tokenizer", hf, "--output-prefix", tmp_path / "out").stderr
    assert ("taken as plain text" in told) == (word is not None)
    assert word is None or word in told


def test_more_threads_than_processors(tmp_path):
    settings = [f"trainer.run_dir={tmp_path / 'run'}", "trainer.max_steps=1", "schedule.warmup_steps=0", "trainer.eval_every=0", "trainer.device=cpu",
                "data.mock=true"]
    assert "will wait for one another" in ok("pretrain", "llama_tiny", f"trainer.threads={os.cpu_count() + 1}", *settings).stderr


def test_a_profile_after_the_last_step(hf, data, tmp_path):
    settings = pretrain(hf, data, tmp_path / "run")
    assert "begins after the run's last step, 2" in ok(*settings, "trainer.profile=10..12").stderr
    assert "trainer.profile" not in ok(*settings, "trainer.profile=1..2", "trainer.max_steps=3").stderr


def test_a_model_that_cannot_be_exported_is_told_at_the_start(tmp_path):
    settings = ["data.mock=true", f"trainer.run_dir={tmp_path / 'run'}", "trainer.device=cpu", "trainer.max_steps=1", "schedule.warmup_steps=0",
                "trainer.eval_every=0"]
    refusal = "`llm-pretrain export` will refuse this model: "
    assert refusal not in ok("pretrain", "llama_tiny", *settings).stderr
    odd = ["model.logit_softcap=30", f"trainer.run_dir={tmp_path / 'odd'}"]
    assert refusal in ok("pretrain", "llama_tiny", *settings, *odd).stderr
    fails(2, "its logits are capped", "export", "--checkpoint", tmp_path / "odd", "--output", tmp_path / "hf")


def test_keys_that_begin_with_nothing():
    fails(2, ["no key begins with \"optimiser\".", "Did you mean optimizer?"], "schema", "--text", "optimiser")
