"""Whose a run's folder is, and what a run leaves there."""

import fcntl
import shutil

import pytest

from cli_support import fails, ok, pretrain, snapshot


@pytest.mark.parametrize("foreign", ["config.json", "metrics.jsonl", "environment.json"])
def test_a_run_folder_that_is_somebody_elses(hf, data, tmp_path, foreign):
    shutil.copytree(hf, tmp_path / "model")
    folder = tmp_path / "model" if foreign == "config.json" else tmp_path / "folder"
    folder.mkdir(exist_ok=True)
    if foreign != "config.json":
        (folder / foreign).write_text("{}")
    before = snapshot(folder)
    fails(2, ["is no run's folder", foreign, "choose another folder"], *pretrain(tmp_path / "model", data, folder))
    assert snapshot(folder) == before


def test_a_run_folder_with_other_files(hf, data, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    ok(*pretrain(hf, data, tmp_path / "run"))
    assert (tmp_path / "run" / "notes.txt").read_text() == "mine"


def test_a_complete_run_keeps_what_it_was_trained_with(hf, data, tmp_path):
    run = tmp_path / "run"
    ok(*pretrain(hf, data, run))
    before = {name: (run / name).read_text() for name in ("config.json", "environment.json", "metrics.jsonl")}
    said = ok(*pretrain(hf, data, run, "trainer.max_steps=1", "optimizer.lr=0.5")).stdout
    assert "is at step 2 of 1 already" in said and "raise trainer.max_steps" in said
    assert before == {name: (run / name).read_text() for name in before}


def test_an_earlier_save_that_failed_does_not_keep_the_last_one_away(hf, data, tmp_path):
    run = tmp_path / "run"
    (run / "checkpoints/latest").mkdir(parents=True)
    result = fails(1, ["warning: a checkpoint was not saved", "cannot write"],
                   *pretrain(hf, data, run, "trainer.max_steps=6", "checkpoint.every=2", "checkpoint.keep_last=0"))
    assert result.stderr.index("warning: a checkpoint") < result.stderr.index("step 5/6"), "at once"
    assert (run / "checkpoints/step_00000006/manifest.json").exists()
    assert " error cannot write" in (run / "log.txt").read_text()
    (run / "checkpoints/latest").rmdir()
    assert "after step 6" in ok(*pretrain(hf, data, run, "trainer.max_steps=7")).stderr


def test_a_second_process_in_a_run_folder(hf, data, tmp_path):
    run = tmp_path / "run"
    ok(*pretrain(hf, data, run, "trainer.max_steps=1"))
    before = snapshot(run)
    with open(run / ".lock", "a") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        holder.write("4321")
        holder.flush()
        fails(2, ["process 4321 trains in the run folder", str(run), "choose another trainer.run_dir"], *pretrain(hf, data, run))
        holder.truncate(0)
    assert snapshot(run) == before
    ok(*pretrain(hf, data, run))


def test_the_log_has_the_whole_run(hf, data, tmp_path):
    run = tmp_path / "run"
    result = fails(2, "is not finite", *pretrain(hf, data, run, "optimizer.lr=1e30", "optimizer.min_lr=1e29", "trainer.max_steps=50"))
    text = (run / "log.txt").read_text()
    assert "info loaded" in text
    assert " error " + result.stderr.split("error: ")[1].strip() in text
