"""Ranks that share a model load it from a Hugging Face folder: together every element of it, and each little beyond its share."""
import re

import pytest
from safetensors.torch import load_file

from cli_support import make_model, ok, prepare, pretrain

UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20}
# Ranks, settings, and how many read each element: those that hold all of a model each read all of it.
LAYOUTS = [(2, [], 2), (3, ["parallel.sharding=optimizer"], 1), (4, ["parallel.tensor=2", "parallel.sharding=parameters"], 1)]


@pytest.mark.parametrize("family", ["llama", "gpt2", "nemotron"])
def test_ranks_load_what_they_share(family, tmp_path):
    make_model(tmp_path / "hf", family)
    data = prepare(tmp_path, tmp_path / "hf")
    weights = load_file(tmp_path / "hf" / "model.safetensors")
    bytes_in_all = sum(value.nbytes for value in weights.values())
    for ranks, layout, readers in LAYOUTS:
        run = tmp_path / f"run_{ranks}"
        # The rate is so low that a step changes nothing.
        told = ok("launch", "local", "--ranks", ranks, "--", *pretrain(
            tmp_path / "hf", data, run, *layout, "batch.global=12", "trainer.max_steps=1", "optimizer.lr=1e-30", "optimizer.min_lr=0"))
        table = re.findall(r"^ *(\d+) +([\d,]+) +([\d.]+) (B|KiB|MiB) *$", told.stderr + told.stdout, re.MULTILINE)
        assert [int(rank) for rank, *_ in table] == list(range(ranks)), told.stderr
        read = sum(float(amount) * UNITS[unit] for _, _, amount, unit in table)
        assert 0.99 * readers * bytes_in_all < read < 1.25 * readers * bytes_in_all, (layout, read, bytes_in_all)
        ok("export", "--checkpoint", run, "--output", run / "hf", "--dtype", "fp32")
        exported = load_file(run / "hf" / "model.safetensors")
        assert exported.keys() == weights.keys()
        for name, value in weights.items():
            assert exported[name].equal(value.float()), (layout, name)
