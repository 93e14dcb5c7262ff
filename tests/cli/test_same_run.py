"""Ranks that are started apart, over TCP: what differs between them is found before anything is trained."""
import os
import shutil
import socket
import subprocess

import cli_support
from cli_support import TEXT, prepare

TINY = ["llama_tiny", "trainer.device=cpu", "trainer.max_steps=2", "schedule.warmup_steps=0", "batch.global=2", "batch.micro=1", "trainer.eval_every=0",
        "data.sequence_length=32", "parallel.timeout=6"]


def free_port():
    with socket.socket() as one:
        one.bind(("localhost", 0))
        return one.getsockname()[1]


def two_ranks(settings, more, folders):
    """Each rank's exit code and standard error; `more` and `folders` are each rank's own."""
    port = str(free_port())
    ranks = [subprocess.Popen([cli_support.PROGRAM, "pretrain", *map(str, settings), *more[rank]], cwd=folders[rank], text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=os.environ | {"RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "localhost",
                                                                        "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}) for rank in (0, 1)]
    errors = [rank.communicate(timeout=120)[1] for rank in ranks]
    return [rank.returncode for rank in ranks], errors


def refused(tmp_path, words, settings, own):
    codes, errors = two_ranks([*TINY, *settings, f"trainer.run_dir={tmp_path / 'run'}"], [[], own], [tmp_path, tmp_path])
    assert all(code != 0 for code in codes), errors
    for word in words:
        assert word in errors[0], errors
    assert not list((tmp_path / "run").glob("checkpoints/*")) and not (tmp_path / "run" / "metrics.jsonl").exists()


def test_equal_ranks_train(tmp_path):
    codes, errors = two_ranks([*TINY, "data.mock=true", f"trainer.run_dir={tmp_path / 'run'}"], [[], ["trainer.threads=1"]], [tmp_path, tmp_path])
    assert codes == [0, 0], errors
    assert "2 ranks over tcp: data 2" in errors[0]
    assert not list((tmp_path / "run").glob(".ranks-*"))


def test_a_setting_that_differs(tmp_path):
    mock = ["data.mock=true"]
    refused(tmp_path, ["optimizer.lr is ", " on rank 0, but 0.0005 on rank 1"], mock, ["optimizer.lr=5e-4"])
    refused(tmp_path, ["trainer.seed is "], mock, ["trainer.seed=7"])
    refused(tmp_path, ["trainer.max_steps is 2 on rank 0, but 3 on rank 1"], mock, ["trainer.max_steps=3"])


def test_a_layout_that_differs(tmp_path):
    refused(tmp_path, ["parallel.tensor is 1 on rank 0, but 2 on rank 1"], ["data.mock=true"], ["parallel.tensor=2"])
    refused(tmp_path, ["parallel.pipeline is 1 on rank 0, but 2 on rank 1"], ["data.mock=true"], ["parallel.pipeline=2"])


def test_a_model_that_lies_elsewhere_on_another_machine(hf, tmp_path):
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder, name in zip(folders, ["model", "weights"]):
        shutil.copytree(hf, folder / name)
    codes, errors = two_ranks([*TINY, "data.mock=true", f"trainer.run_dir={tmp_path / 'run'}"], [["model.from=model"], ["model.from=weights"]], folders)
    assert codes == [0, 0], errors


def test_data_that_differs(hf, tmp_path):
    data = [prepare(tmp_path, hf, texts=texts, name=name) for name, texts in (("a", TEXT), ("b", TEXT[:50]))]
    refused(tmp_path, ["rank 1 reads other training data than rank 0"], [f"model.from={hf}", f"data.train={data[0]}", "data.split=1,0,0"],
            [f"data.train={data[1]}"])


def test_a_run_folder_that_a_rank_does_not_see(tmp_path):
    folders = [tmp_path / "here", tmp_path / "there"]
    for folder in folders:
        folder.mkdir()
    codes, errors = two_ranks([*TINY, "data.mock=true", "trainer.run_dir=runs/one"], [[], []], folders)
    assert all(code != 0 for code in codes), errors
    assert "does not see the run folder runs/one" in errors[1] and str(folders[1]) in errors[1], errors
    assert "rank 1 failed: " in errors[0], errors
    assert not (folders[0] / "runs/one/metrics.jsonl").exists()
