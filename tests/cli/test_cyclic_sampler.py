"""Training with data.sampler=cyclic: the order that is told, resumed runs, several ranks."""

import json
import re
import shutil

import pytest
import torch

from cli_support import TEXT, fails, ok, prepare, pretrain


@pytest.fixture(scope="module")
def corpus(hf, tmp_path_factory):
    return prepare(tmp_path_factory.mktemp("data"), hf)


@pytest.fixture(scope="module")
def corpora(hf, tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    return " ".join(str(prepare(folder, hf, [f"{name} {text}" for text in TEXT[:6]], name)) for name in "AB")


CYCLIC = ["data.sampler=cyclic", "schedule.kind=constant", "trainer.deterministic=true", "trainer.eval_every=0", "data.split=1,0,0"]


def losses(run_dir):
    return [json.loads(line)["loss"] for line in (run_dir / "metrics.jsonl").read_text().splitlines()]


def preview(hf, data, *more):
    """The sample numbers of each step, by rank where the program tells ranks apart; and how many samples there are."""
    arguments = pretrain(hf, data, "unused", *CYCLIC, *more)[1:]
    out = ok("data", "preview", *arguments).stdout
    steps = [[int(number) for number in re.findall(r"^  sample (\d+)  ", step, re.MULTILINE)] for step in re.split(r"^step \d+$", out, flags=re.MULTILINE)[1:]]
    settings = [a for a in arguments if "=" in str(a)]
    total = int(re.search(r"^train +([\d,]+) ", ok("data", "index", arguments[0], *settings).stdout, re.MULTILINE)[1].replace(",", ""))
    return steps, total


def shuffled(size, number):
    return torch.randperm(size, generator=torch.Generator().manual_seed(number)).tolist()


def test_preview_shows_torchs_order_pass_after_pass(hf, corpora):
    settings = ["batch.global=4", "batch.micro=2", "trainer.max_steps=40", "--ranks", 2]
    steps, total = preview(hf, corpora, *settings, "--batches", 40)
    in_a_pass, share = total // 4, total // 4 * 2
    assert in_a_pass < 20 and len(steps) == 40, "several passes"
    for step, numbers in enumerate(steps):
        order, at = shuffled(share, step // in_a_pass), step % in_a_pass * 2
        assert numbers == order[at : at + 2] + [share + number for number in order[at : at + 2]]
    steps, _ = preview(hf, corpora, *settings, "data.sampler_sharding=false", "--batches", 40)
    for step, numbers in enumerate(steps):
        order, at = shuffled(total // 2 * 2, step // in_a_pass), step % in_a_pass * 4
        assert numbers == [order[at + i] for i in (0, 2, 1, 3)]
    later, _ = preview(hf, corpora, *settings, "data.sampler_sharding=false", "--first-step", 31, "--batches", 10)
    assert later == steps[30:]


@pytest.mark.parametrize("sharding", ["true", "false"])
def test_a_run_goes_through_several_passes_and_resumes_to_the_same_bits(hf, corpora, tmp_path, sharding):
    more = [*CYCLIC, f"data.sampler_sharding={sharding}", "batch.global=4", "batch.rampup_start=2", "batch.rampup_increment=2",
            "batch.rampup_samples=10", "checkpoint.every=3", "checkpoint.keep_last=0", "trainer.max_steps=24"]
    ok(*pretrain(hf, corpora, tmp_path / "whole", *more))
    whole = losses(tmp_path / "whole")
    assert len(whole) == 24
    for cut in (3, 15):
        run = tmp_path / f"cut{cut}"
        shutil.copytree(tmp_path / "whole", run)
        for folder in (run / "checkpoints").glob("step_*"):
            if int(folder.name[5:]) > cut:
                shutil.rmtree(folder)
        (run / "checkpoints" / "latest").write_text(f"step_{cut:08}\n")
        result = ok(*pretrain(hf, corpora, run, *more))
        assert f"after step {cut}" in result.stderr and "changed since" not in result.stderr, result.stderr
        assert losses(run) == whole
        last = "checkpoints/step_00000024"
        files = sorted(file.name for file in (run / last).glob("*.safetensors"))
        assert files
        for file in files:
            assert (run / last / file).read_bytes() == (tmp_path / "whole" / last / file).read_bytes()


def test_ranks_share_the_order_without_sharding_and_have_another_one_with_it(hf, corpus, tmp_path):
    more = [*CYCLIC, "batch.global=4", "trainer.max_steps=4", "checkpoint.every=0"]

    def run(name, ranks, *settings):
        command = pretrain(hf, corpus, tmp_path / name, *more, *settings)
        result = ok(*(["launch", "local", "--ranks", ranks, "--"] if ranks > 1 else []), *command)
        return losses(tmp_path / name), result

    sequential, _ = run("sequential", 1, "data.sampler=sequential")
    one, _ = run("one", 1, "data.sampler_sharding=false")
    two, _ = run("two", 2, "data.sampler_sharding=false")
    assert two == pytest.approx(one, rel=1e-5)
    sharded, _ = run("sharded", 2)
    for other in (sequential, sharded):
        assert other != pytest.approx(one, rel=1e-5)
    # With sharding, other ranks are another order: the run goes on, and says so.
    _, resumed = run("sharded", 1, "trainer.max_steps=5")
    assert "the training data or its order changed" in resumed.stderr


def test_mistakes_have_their_message(hf, corpus, tmp_path):
    run = tmp_path / "run"
    fails(2, "--ranks N", "data", "preview", *pretrain(hf, corpus, run, "data.sampler=cyclic")[1:])
    fails(2, "one of sequential, cyclic", *pretrain(hf, corpus, run, "data.sampler=single"))
    fails(2, "data.sampler=cyclic shuffles all", *pretrain(hf, corpus, run, "data.sampler=cyclic", "data.stable_order=true"))
    fails(2, "set data.sampler=cyclic", *pretrain(hf, corpus, run, "data.sampler_sharding=false"))
    # Six samples are consumed, and then four are to be read at once.
    settings = [*CYCLIC, "batch.global=2", "trainer.max_steps=3"]
    ok(*pretrain(hf, corpus, run, *settings))
    fails(2, ["6 samples are consumed", "batch.micro 4"],
          *pretrain(hf, corpus, run, *settings, "batch.global=4", "batch.micro=4", "trainer.max_steps=4"))
