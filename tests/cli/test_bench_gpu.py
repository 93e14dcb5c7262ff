"""scripts/bench gpu, as far as a machine without a GPU can try it."""

import importlib.util
import json
import pathlib
import re
import subprocess
import sys

import pytest

from cli_support import PROGRAM, ok

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "bench_gpu.py"


def load_tool():
    spec = importlib.util.spec_from_file_location("bench_gpu", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_dry_run_goes_through_all_of_it(tmp_path):
    out = tmp_path / "bench.json"
    done = subprocess.run([sys.executable, TOOL, "--program", PROGRAM, "--output", out, "--dry-run", "--steps", "5", "--micro-batches", "2"],
                          capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(out.read_text())
    assert report["dry_run"] and [row["length"] for row in report["rows"]] == [64, 128]
    for row in report["rows"]:
        assert row["problems"] == [] and row["global"] == 2 * row["micro"] and row["micro"] * row["length"] == 256
        ours, peer = row["rounds"][0]
        assert len(ours["step_seconds"]) == len(peer["step_seconds"]) == 5
        assert row["ratio"] == pytest.approx(row["tokens_per_second"] / row["peer_tokens_per_second"])
        assert row["mfu"] > row["mfu_causal"] > 0
        assert f"| {row['model']} | {row['length']} | {row['micro']} |" in done.stdout


def test_without_a_gpu_it_says_so(tmp_path):
    done = subprocess.run([sys.executable, TOOL, "--program", PROGRAM, "--output", tmp_path / "bench.json"], capture_output=True, text=True,
                          env={"PATH": str(tmp_path)})
    assert done.returncode == 2 and "no GPU" in done.stderr
    assert not (tmp_path / "bench.json").exists()


@pytest.mark.parametrize("name", ["llama32_1b", "tinyllama_1b", "llama_1_5b", "llama3_8b"])
def test_it_counts_flops_as_the_program_does(name):
    recipe = json.loads(ok("recipes", "show", name, "--file").stdout)
    shown = re.search(r"([\d.e+]+) GFLOP forward and backward \(full square of scores: ([\d.e+]+)\)", ok("recipes", "show", name).stdout)
    model = {"head_dim": 0, "gated": True} | recipe["model"]  # the file leaves out what is a Llama's default
    count = load_tool().flops_per_token
    for causal, text in [(True, shown[1]), (False, shown[2])]:
        assert count(model, recipe["data"]["sequence_length"], causal) / 1e9 == pytest.approx(float(text), rel=1e-3)


def test_a_model_that_does_not_fit_gets_smaller_micro_batches(monkeypatch, tmp_path):
    """Ours needs a micro-batch of 1, the peer does not fit at all."""
    tool = load_tool()
    tried = []

    def ours(arguments, name, settings, folder):
        micro = int(next(s for s in settings if s.startswith("batch.micro=")).split("=")[1])
        tried.append(micro)
        pathlib.Path(folder).mkdir()
        model = {"layers": 1, "hidden": 8, "heads": 1, "kv_heads": 1, "head_dim": 8, "gated": True, "ffn_hidden": 8, "vocab_size": 8}
        (pathlib.Path(folder) / "config.json").write_text(json.dumps({"model": model}))
        return {"out_of_memory": True} if micro > 1 else {"step_seconds": [9, 9, 9, 2.0, 2.0], "memory_bytes": 1, "watts": None}

    monkeypatch.setattr(tool, "run_ours", ours)
    monkeypatch.setattr(tool, "run_reference", lambda *_: {"out_of_memory": True})
    arguments = type("A", (), {"program": PROGRAM, "micro_batches": 2, "rounds": 1, "no_peer": False})
    row = tool.measure(arguments, "llama_tiny", {"tokens": 512}, 128, tmp_path)
    assert tried == [4, 2, 1] and row["micro"] == 1 and row["global"] == 8
    assert row["tokens_per_second"] == 8 * 128 / 2.0 and row["peer_tokens_per_second"] is None
    assert row["problems"] == ["peer: out of memory"] and "out of memory" in tool.table([row])
