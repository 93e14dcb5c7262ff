"""Building the order of a run's samples before the run."""

import re

import pytest

from cli_support import TEXT, fails, ok, prepare, pretrain


@pytest.fixture(scope="module")
def corpora(hf, tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    return [prepare(folder, hf, [f"{name}{i} {text}" for i, text in enumerate(TEXT)], name) for name in "AB"]


def test_a_run_finds_the_order_that_was_built_before(hf, corpora, tmp_path):
    blend = f"0.3 {corpora[0]} 0.7 {corpora[1]}"
    arguments = pretrain(hf, blend, tmp_path / "run", f"data.cache_dir={tmp_path / 'cache'}", "data.split=8,1,1", "trainer.eval_every=1",
                         "trainer.eval_steps=1")
    built = ok("data", "index", *arguments[1:])
    assert "built the order of" in built.stderr and not (tmp_path / "run").exists()
    orders = dict(re.findall(r"^(train|valid) +\d+ +([0-9a-f]{16})$", built.stdout, re.MULTILINE))
    assert set(orders) == {"train", "valid"}
    state = {file: file.stat().st_mtime_ns for file in (tmp_path / "cache").iterdir()}
    assert "built the order of" not in ok(*arguments).stderr
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "cache").iterdir()} == state
    again = ok("data", "index", *arguments[1:])
    assert "built the order of" not in again.stderr
    assert re.findall(r"^(train|valid) .*$", again.stdout, re.MULTILINE) == re.findall(r"^(train|valid) .*$", built.stdout, re.MULTILINE)


def test_mistakes_are_those_of_the_run(hf, corpora):
    fails(2, "nowhere.idx does not exist", "data", "index", *pretrain(hf, "nowhere", "unused")[1:])
