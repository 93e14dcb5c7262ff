"""Training on blends, and looking at them before."""

import json
import re
import shutil

import pytest

from cli_support import TEXT, fails, make_tokenizer, ok, prepare, pretrain, write_jsonl


@pytest.fixture(scope="module")
def corpora(hf, tmp_path_factory):
    """Three corpora that the first letter of each document tells apart."""
    folder = tmp_path_factory.mktemp("data")
    return [prepare(folder, hf, [f"{name}{i} {text}" for i, text in enumerate(TEXT)], name) for name in "ABC"]


def preview(model, train, *more):
    arguments = pretrain(model, train, "unused", *more)[1:]
    return ok("data", "preview", *arguments).stdout


def losses(run_dir):
    return [json.loads(line)["loss"] for line in (run_dir / "metrics.jsonl").read_text().splitlines()]


def test_a_blend_trains_and_resumes_in_the_same_order(hf, corpora, tmp_path):
    a, b, _ = corpora
    blend = f"0.3 {a} 0.7 {b}"
    more = ["trainer.eval_every=2", "trainer.eval_steps=2", "checkpoint.every=2", "data.split=8,1,1", "schedule.kind=constant"]
    result = ok(*pretrain(hf, blend, tmp_path / "whole", *more, "trainer.max_steps=4"))
    assert "validation loss after" in result.stdout
    whole = losses(tmp_path / "whole")
    assert len(whole) == 4
    # The same run, cut off after step 2.
    shutil.copytree(tmp_path / "whole", tmp_path / "cut")
    checkpoints = tmp_path / "cut" / "checkpoints"
    shutil.rmtree(checkpoints / "step_00000004")
    (checkpoints / "latest").write_text((checkpoints / "latest").read_text().replace("4", "2"))
    result = ok(*pretrain(hf, blend, tmp_path / "cut", *more, "trainer.max_steps=4"))
    assert "changed since" not in result.stderr and "after step 2" in result.stderr, result.stderr
    assert losses(tmp_path / "cut")[-2:] == whole[-2:]
    # Other weights: the run goes on, and says that the order is another.
    result = ok(*pretrain(hf, f"0.5 {a} 0.5 {b}", tmp_path / "cut", *more, "trainer.max_steps=6"))
    assert f'data.train was "0.3 {a} 0.7 {b}", is "0.5 {a} 0.5 {b}"' in result.stderr, result.stderr


def test_a_blend_of_each_split_trains(hf, corpora, tmp_path):
    a, b, c = corpora
    (tmp_path / "blend.json").write_text(json.dumps({
        "train": [0.3, str(a), 0.7, str(b)], "valid": [1, str(b), 1, str(c)], "test": [str(a), str(c)]}))
    file = f"@{tmp_path / 'blend.json'}"
    result = ok(*pretrain(hf, file, tmp_path / "run", f"data.valid={file}", f"data.test={file}", "trainer.eval_every=2",
                          "trainer.eval_steps=2"))
    assert "test loss" in result.stdout


def test_preview_shows_where_samples_come_from(hf, corpora):
    a, b, c = corpora
    common = f"0.3 {a} 0.7 {b}", "batch.global=10", "trainer.max_steps=3", "--characters", "0"
    out = preview(hf, *common, "--batches", "3")
    samples = re.findall(r"  sample (\d+)  (\S+): document (\d+)(?: from token (\d+))? \((\d+) tokens\).*\n    (.*)\n", out)
    assert [int(s[0]) for s in samples] == list(range(30))
    assert sum(s[1] == str(a) for s in samples) == 9
    assert out.count("step ") == 3
    for _, prefix, document, begin, _, text in samples:
        if not begin:  # the sample begins with the document
            assert json.loads(text).startswith(f"{'A' if prefix == str(a) else 'B'}{document} Line")
    assert re.search(rf"{a} +9 +30.0 %", out) and re.search(rf"{b} +21 +70.0 %", out)
    second = preview(hf, *common, "--first-step", "2")
    assert second.split("step 2\n")[1].split("\n\n")[0] == out.split("step 2\n")[1].split("\n\n")[0]
    replay = preview(hf, a, f"data.replay={c}", "data.replay_fraction=0.25", "batch.global=20")
    assert re.search(rf"{c} +5 +25.0 %", replay)
    assert "made up" in ok("data", "preview", "llama_tiny", "data.mock=true", "model.vocab_size=300").stdout


def test_every_corpus_is_checked(hf, corpora, tmp_path):
    a, b, _ = corpora
    make_tokenizer(tmp_path / "other", size=300)
    other = prepare(tmp_path, tmp_path / "other", name="other")
    fails(2, [str(other), "another tokenizer"], *pretrain(hf, f"0.5 {a} 0.5 {other}", tmp_path / "run"))
    fails(2, [str(other), "another tokenizer"], *pretrain(hf, a, tmp_path / "run", f"data.replay={other}"))
    make_tokenizer(tmp_path / "large", size=450)
    texts = TEXT + ["zyxw " * 9]
    large = prepare(tmp_path, tmp_path / "large", texts, name="large")
    fails(2, str(large), *pretrain(hf, f"{a} {large}", tmp_path / "run"))
    scratch = ["pretrain", "llama_tiny", f"data.train={a} {other}", f"trainer.run_dir={tmp_path / 'run'}"]
    fails(2, "prepared with different tokenizers", *scratch)
    assert not (tmp_path / "run").exists()


def test_mistakes_have_their_message(hf, corpora, tmp_path):
    a, b, c = corpora
    run = tmp_path / "run"
    fails(2, "piece 3", *pretrain(hf, f"0.5 {a} {b}", run))
    fails(2, "data.replay", *pretrain(hf, f"{a} {b}", run, f"data.replay={c}"))
    fails(2, "data.replay_fraction", *pretrain(hf, a, run, f"data.replay={c}", "data.replay_fraction=1"))
    fails(2, "data.replay", "pretrain", "llama_tiny", "data.mock=true", "model.vocab_size=300", f"data.replay={c}")
    fails(2, "nowhere", *pretrain(hf, f"0.5 {a} 0.5 nowhere", run))
    fails(2, "--first-step 99", "data", "preview", *pretrain(hf, a, run)[1:], "--first-step", 99999)
    # By size a corpus is read once, and the run must fit.
    fails(2, "read once", *pretrain(hf, f"{a} {b}", run, "trainer.max_steps=100000"))
