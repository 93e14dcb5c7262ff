"""How much memory import and export take: the model, where it is held at all, and about one tensor beyond. And what a rank
that shares a model takes to load it: its share, and about one unit beyond.

Measured is the memory of the process itself (RssAnon); pages of the files that it reads belong to the system's cache.
"""

import contextlib
import os
import pathlib
import signal
import subprocess
import threading
import time

import pytest
import torch
import transformers
from safetensors import safe_open

from cli_support import PROGRAM, ok

MIB = 1 << 20
SLACK = 24 * MIB  # allocator, threads, buffers of files


def peak_of(*arguments):
    """The greatest RssAnon, in bytes, of a run of the program."""
    process = subprocess.Popen([PROGRAM, *map(str, arguments)], env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
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


def peaks_of_loading(ranks, folder, *arguments):
    """The same of each rank of a run in `folder`, until its first step begins."""
    process = subprocess.Popen([PROGRAM, "launch", "local", "--ranks", str(ranks), "--threads-per-rank", "1", "--", "pretrain",
                                *map(str, arguments), f"trainer.run_dir={folder}"], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)
    output, begun = [], threading.Event()

    def read():
        for line in process.stdout:
            output.append(line)
            if "tokens a step" in line:
                begun.set()

    reader = threading.Thread(target=read)
    reader.start()
    peaks, looked = {}, 0
    while process.poll() is None and not begun.is_set():
        if len(peaks) < ranks and time.monotonic() - looked > 0.2:
            looked = time.monotonic()
            for command in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    words = command.read_bytes().split(b"\0")
                except OSError:
                    continue
                if len(words) > 1 and words[1] == b"pretrain" and f"trainer.run_dir={folder}".encode() in words:
                    peaks.setdefault(command.parent / "status", 0)
        for status in peaks:
            try:
                lines = [line for line in status.read_text().splitlines() if line.startswith("RssAnon:")]
            except OSError:
                continue
            peaks[status] = max(peaks[status], *(int(line.split()[1]) * 1024 for line in lines), 0)
        time.sleep(0.02)
    for status in peaks:  # what comes then takes time, and is of no interest here
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(status.parent.name), signal.SIGKILL)
    process.wait()
    reader.join()
    assert len(peaks) == ranks and begun.is_set(), "".join(output)
    return peaks.values()


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


def largest_unit(folder):
    """FP32 bytes of a layer, or of a table over the vocabulary."""
    with safe_open(folder / "model.safetensors", "pt") as file:
        elements = {key: int(torch.tensor(file.get_slice(key).get_shape()).prod()) for key in file.keys()}
    return 4 * max(sum(n for key, n in elements.items() if ".layers.0." in key), *elements.values())


@pytest.mark.parametrize("source", ["huggingface", "checkpoint", "seed"])
def test_a_rank_loads_its_share_a_unit_at_a_time(folders, tmp_path, source):
    ranks = 8
    (total, largest), unit = sizes(folders / "large"), largest_unit(folders / "large")
    if source == "checkpoint" and not (folders / "large.ckpt").exists():
        ok("import", "--model", folders / "large", "--output", folders / "large.ckpt")

    def train(which, name):
        shape = {"small": (64, 1, 128), "large": (1024, 8, 8192)}[which]
        model = {
            "huggingface": [f"model.from={folders / which}"],
            "checkpoint": [f"model.from={folders / which}.ckpt"],
            "seed": ["model.heads=8", "model.kv_heads=4", f"model.hidden={shape[0]}", f"model.layers={shape[1]}",
                     f"model.vocab_size={shape[2]}", f"model.ffn_hidden={2 * shape[0]}", "model.head_dim=0",
                     "model.max_positions=64", "model.tied_embeddings=false"],
        }[source]
        return peaks_of_loading(ranks, tmp_path / name, "llama_tiny", "data.mock=true", "data.sequence_length=8", "trainer.precision=fp32",
                              "trainer.device=cpu", "trainer.max_steps=1", "schedule.warmup_steps=0", f"batch.global={ranks}",
                              "batch.micro=1", "parallel.sharding=parameters", "checkpoint.async=false",
                              *model)

    before, after = max(train("small", "small")), max(train("large", "large"))
    # Shares of the masters, which in FP32 are the values, of gradients and of two moments; a unit, and one of its tensors.
    expected = 4 * total / ranks + unit + largest + SLACK
    assert expected < total  # else this shows nothing
    assert after - before < expected, ((after - before) / MIB, total / MIB, unit / MIB)
