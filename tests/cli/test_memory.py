"""How much memory import and export take: the model, where it is held at all, and about one tensor beyond.

Measured is the memory of the process itself (RssAnon); pages of the files that it reads belong to the system's cache.
"""

import os
import pathlib
import subprocess

import pytest
import torch
import transformers
from safetensors import safe_open

from cli_support import PROGRAM, ok

MIB = 1 << 20
SLACK = 24 * MIB  # allocator, threads, buffers of files


def peak_of(*arguments):
    """The greatest RssAnon, in bytes, of a run of the program."""
    clean = {key: value for key, value in os.environ.items() if key != "LD_LIBRARY_PATH"} | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([PROGRAM, *map(str, arguments)], env=clean, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    status, peak = pathlib.Path(f"/proc/{process.pid}/status"), 0
    while process.poll() is None:
        try:
            lines = [line for line in status.read_text().splitlines() if line.startswith("RssAnon:")]
        except OSError:
            break
        peak = max(peak, *(int(line.split()[1]) * 1024 for line in lines), 0)
    output = process.communicate()[0]
    assert process.returncode == 0, output
    return peak


def make_llama(folder, hidden, layers, vocabulary):
    config = transformers.LlamaConfig(hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=8,
                                      num_key_value_heads=4, intermediate_size=2 * hidden, vocab_size=vocabulary,
                                      max_position_embeddings=64, tie_word_embeddings=False)
    with torch.device("meta"):
        model = transformers.LlamaForCausalLM(config)
    model = model.to_empty(device="cpu").to(torch.bfloat16)
    for parameter in model.parameters():
        parameter.data.fill_(0.01)
    model.save_pretrained(folder)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("memory")
    make_llama(root / "small", 64, 1, 128)
    make_llama(root / "large", 1024, 8, 8192)
    ok("import", "--model", root / "small", "--output", root / "small.ckpt")
    return root


def sizes(folder):
    """FP32 bytes of all tensors, and of the greatest of ours (gate and up are one)."""
    with safe_open(folder / "model.safetensors", "pt") as file:
        counts = {key: file.get_slice(key).get_shape() for key in file.keys()}
    elements = {key: int(torch.tensor(shape).prod()) for key, shape in counts.items()}
    largest = max(max(elements.values()), 2 * max(n for key, n in elements.items() if "gate_proj" in key))
    return 4 * sum(elements.values()), 4 * largest


def test_import_and_export_hold_the_model_and_about_one_tensor(folders):
    total, largest = sizes(folders / "large")
    assert total > 8 * largest > 4 * SLACK  # else this shows nothing
    before = peak_of("import", "--model", folders / "small", "--output", folders / "again.ckpt")
    peak = peak_of("import", "--model", folders / "large", "--output", folders / "large.ckpt") - before
    assert total - largest < peak < total + largest + SLACK, (peak / MIB, total / MIB, largest / MIB)

    before = peak_of("export", "--checkpoint", folders / "small.ckpt", "--output", folders / "small.hf")
    peak = peak_of("export", "--checkpoint", folders / "large.ckpt", "--output", folders / "large.hf") - before
    assert peak < 3 * largest + SLACK, (peak / MIB, total / MIB, largest / MIB)  # as it is stored, merged, and rounded
