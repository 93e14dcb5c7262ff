"""`prepare` makes the bytes that Megatron-LM's preprocessing makes, from anything that Python's json reads."""

import base64
import gzip
import json
import os
import random
import signal
import struct
import subprocess
import time

import numpy
import pytest

import prepare_corpora as corpora
from prepare_reference import preprocess
from prepare_runs import KEYS, as_python_reads, call, command, outputs, prepare
from support import BUILD


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory):
    """Folders of a tokenizer that adds nothing to a text, and of one that begins each with a token of its own."""
    folder = tmp_path_factory.mktemp("tokenizers")
    corpora.byte_tokenizer(folder / "plain")
    corpora.byte_tokenizer(folder / "begin", bos=True)
    return folder


def expected(lines, tokenizer, prefix, keys=KEYS):
    preprocess(lines, tokenizer, keys, prefix, True, 0)
    return outputs(prefix, keys)


@pytest.mark.parametrize("kind", ["plain", "begin"])
def test_equals_preprocessing_from_any_file(tokenizers, tmp_path, kind):
    tokenizer = tokenizers / kind
    data = corpora.corpus(seed=2)
    truth = expected(as_python_reads(data), tokenizer, tmp_path / "theirs")
    keys = ["--json-keys", "text,title"]
    for workers, (extension, pack) in enumerate(corpora.PACKINGS.items(), 1):
        path = tmp_path / f"corpus.{extension}"
        path.write_bytes(pack(data))
        result = prepare([path], tokenizer, tmp_path / "ours", *keys, "--workers", min(workers, 4))
        assert outputs(tmp_path / "ours") == truth, extension
        assert (b'first document begins with the ids 1 "<|begin|>"' in result.stderr) == (kind == "begin")
        if kind == "plain":
            with open(path, "rb") as stream:
                prepare(["-"], tokenizer, tmp_path / "ours", *keys, "--workers", 2, stdin=stream)
            assert outputs(tmp_path / "ours") == truth, f"standard input, {extension}"
    marked = tmp_path / "marked.jsonl"
    marked.write_bytes(b"\xef\xbb\xbf" + data + b"\n \r\n\n")  # marks and blank ends are dropped
    prepare([marked], tokenizer, tmp_path / "ours", *keys)
    assert outputs(tmp_path / "ours") == truth


def test_partitions(tokenizers, tmp_path):
    tokenizer = tokenizers / "plain"
    data, compressed = corpora.corpus(seed=3, lines=600), corpora.corpus(seed=4, lines=50, long=0)
    (tmp_path / "a.jsonl").write_bytes(data)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(compressed))
    lines = as_python_reads(data) + as_python_reads(compressed)
    for count, how in ((4, []), (3, ["--round-robin"])):
        order = [x for i in range(count) for x in lines[i::count]] if how else lines
        truth = expected(order, tokenizer, tmp_path / "theirs", ["text"])
        for i in range(count):
            prepare([tmp_path / "*.jsonl*"], tokenizer, tmp_path / "ours", "--partition", f"{i + 1}/{count}", *how)
        parts = sorted(tmp_path.glob(f"ours_part*of{count}_text_document.idx"))
        result = call([BUILD / "bin/llm-pretrain", "data", "merge", "--overwrite", "--input", *parts, "--output-prefix",
                       tmp_path / "ours_text_document"])
        assert result.returncode == 0, result.stderr
        assert outputs(tmp_path / "ours", ["text"]) == truth


def python_reads(line):
    """What Megatron would have of a line: its texts; None where it would fail, or no tokenizer can take the text."""
    try:
        value = json.loads(line.decode())
        texts = value["text"]
        texts = texts if isinstance(texts, list) else [texts]
        if not all(isinstance(t, str) for t in texts):
            return None
        return [t.encode() for t in texts]
    except (ValueError, KeyError, TypeError):  # half a surrogate pair is a ValueError of encode()
        return None


def damaged(rng, line):
    line = bytearray(line)
    for _ in range(rng.choice([0, 1, 1, 1, 2, 3])):
        at = rng.randrange(len(line))
        action = rng.randrange(4)
        if action == 0:
            del line[at:at + rng.choice([1, 1, 5])]
        elif action == 1:
            line[at:at] = rng.choice([b"\\", b'"', b",", b"{", b"]", b"\\ud83d", b"\\uDe00", b"\\u00e9", b"NaN", b"-", b"0", b"e", b"\t", b"\xff", b"\0"])
        elif action == 2:
            line[at] = rng.randrange(256)
        else:
            line[at:at + 1] = line[at:at + 1] * 2
        if not line:
            line = bytearray(b"x")
    return bytes(line).replace(b"\n", b"?").replace(b"\r", b"?")


def test_every_line_is_read_as_python_reads_it(tokenizers, tmp_path):
    """Damaged lines: what Python takes has the same text, what it refuses is refused and kept with its place."""
    rng = random.Random(6)
    lines = [damaged(rng, corpora.line(rng).replace("\n", "").encode()[:2000]) for _ in range(8000)]
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    prepare([tmp_path / "a.jsonl"], tokenizers / "plain", tmp_path / "out", "--on-bad-line", "quarantine")
    kept = [json.loads(line) for line in open(tmp_path / "out.quarantine.jsonl", encoding="utf-8")]
    bad = {record["line"] - 1: record for record in kept}
    truth = [python_reads(line) for line in lines]
    assert {i for i, texts in enumerate(truth) if texts is None} == set(bad)
    assert len(bad) > 1000 and len(lines) - len(bad) > 1000
    offset = 0
    for i, line in enumerate(lines):
        if i in bad:
            record = bad[i]
            raw = base64.b64decode(record["raw_base64"]) if "raw_base64" in record else record["raw"].encode()
            assert (raw, record["byte"], record["file"]) == (line, offset, str(tmp_path / "a.jsonl"))
            assert record["reason"]
        offset += len(line) + 1
    # The ids tell the texts.
    good = [json.dumps({"text": [t.decode() for t in texts]}) for texts in truth if texts is not None]
    assert outputs(tmp_path / "out", ["text"]) == expected(good, tokenizers / "plain", tmp_path / "theirs", ["text"])


@pytest.fixture(scope="module")
def large(tokenizers, tmp_path_factory):
    """A corpus of 12 MB that is sealed every MiB, plain and packed, and what it becomes."""
    folder = tmp_path_factory.mktemp("large")
    data = corpora.corpus(seed=7, lines=2000, long=0) + b"\n"
    data *= -(-12_000_000 // len(data))
    for name, content in (("a.jsonl", data[:len(data) // 2]), ("b.jsonl.gz", gzip.compress(data[len(data) // 2:], 1))):
        (folder / name).write_bytes(content)
    inputs = [folder / "a.jsonl", folder / "b.jsonl.gz"]
    prepare(inputs, tokenizers / "plain", folder / "whole", "--on-bad-line", "quarantine")
    return inputs, outputs(folder / "whole", ["text"]), (folder / "whole.quarantine.jsonl").read_bytes()


def test_a_killed_run_goes_on_to_the_same_bytes(tokenizers, tmp_path, large):
    inputs, truth, quarantine = large
    rng = random.Random(8)
    resumed = 0
    for attempt in range(12):
        prefix = tmp_path / f"out{attempt}"
        arguments = command(inputs, tokenizers / "plain", prefix, "--on-bad-line", "quarantine", "--seal-every", 1, "--workers", 2)
        # Killed several times, each time a while after it began to write.
        for _ in range(rng.choice([1, 2, 3])):
            process = subprocess.Popen(arguments, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            while process.poll() is None and not prefix.with_name(prefix.name + ".preparing").exists():
                time.sleep(0.005)
            time.sleep(rng.random() * 0.25)
            process.send_signal(signal.SIGINT if attempt % 4 == 0 else signal.SIGKILL)
            process.wait()
        result = call(arguments)
        assert result.returncode == 0, result.stderr
        resumed += b"an earlier run sealed" in result.stderr
        assert outputs(prefix, ["text"]) == truth
        assert prefix.with_name(prefix.name + ".quarantine.jsonl").read_bytes() == quarantine
        assert not prefix.with_name(prefix.name + ".preparing").exists()
    assert resumed >= 4


def interrupted(arguments, prefix):
    """Stops a run after it has sealed something."""
    folder = prefix.with_name(prefix.name + ".preparing")
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    while process.poll() is None and not (folder / "journal.json").exists():
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate()
    assert process.returncode == 130 and b"the same command goes on from there" in stderr, stderr
    return folder


def test_sealed_work_of_another_run_is_not_used(tokenizers, tmp_path, large):
    inputs, truth, quarantine = large
    prefix = tmp_path / "out"
    own = tmp_path / "b.jsonl.gz"
    own.write_bytes(inputs[1].read_bytes())
    more = ["--on-bad-line", "quarantine", "--seal-every", 1, "--workers", 1]
    arguments = command([inputs[0], own], tokenizers / "plain", prefix, *more)
    changes = {
        "inputs": lambda: os.utime(own, ns=(1, 1)) or arguments,
        "tokenizer": lambda: command([inputs[0], own], tokenizers / "begin", prefix, *more),
        "end-of-document token": lambda: [x for x in arguments if x != "--append-eod"],
    }
    for name, change in changes.items():
        interrupted(arguments, prefix)
        result = call(change())
        assert result.returncode == 0 and f"differs in: {name}".encode() in result.stderr, result.stderr
        assert (outputs(prefix, ["text"]) == truth) == (name == "inputs")
    # Files that are shorter than the journal says.
    folder = interrupted(arguments, prefix)
    os.truncate(folder / "text_document.bin", 1000)
    result = call(arguments)
    assert b"starting anew" in result.stderr and outputs(prefix, ["text"]) == truth


def test_two_at_once_are_refused(tokenizers, tmp_path, large):
    prefix = tmp_path / "out"
    first = subprocess.Popen(command(["-"], tokenizers / "plain", prefix), stdin=subprocess.PIPE, stderr=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL)
    while not (tmp_path / "out.preparing" / "text_document.bin").exists():
        time.sleep(0.002)
    result = call(command(large[0], tokenizers / "plain", prefix))
    assert result.returncode == 2 and b"another process does so" in result.stderr
    first.communicate(b'{"text": "one"}\n')
    assert first.returncode == 0 and (tmp_path / "out_text_document.bin").stat().st_size > 0


@pytest.mark.parametrize("extension", ["jsonl.gz", "ndjson.zst"])
def test_damaged_archives(tokenizers, tmp_path, extension):
    data = corpora.corpus(seed=9, lines=300, long=0)
    packed = corpora.PACKINGS[extension](data)
    path = tmp_path / f"a.{extension}"
    for content, message in ((packed[:-3], b"cut short"), (packed[:len(packed) // 2], b"cut short"), (b"", b""),
                             (packed + b"garbage", b"damaged"), (packed[:50] + b"\x55" * 20 + packed[70:], b"")):
        path.write_bytes(content)
        result = call(command([path], tokenizers / "plain", tmp_path / "out", "--on-bad-line", "skip"))
        assert result.returncode == 2 and message in result.stderr and path.name.encode() in result.stderr, result.stderr
        assert not list(tmp_path.glob("out*"))


def peak_memory(arguments):
    """In MiB. What the system tells of an ended child includes the time before it became the program."""
    process = subprocess.Popen(arguments, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        status = open(f"/proc/{process.pid}/status").read()
        if "VmHWM" in status and os.readlink(f"/proc/{process.pid}/exe").endswith("llm-pretrain"):
            peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
        time.sleep(0.01)
    assert process.returncode == 0
    return peak


def test_memory_does_not_grow_with_the_corpus(tokenizers, tmp_path):
    """20 MB of input and 200 MB, many short documents: their lengths alone would show."""
    line = json.dumps({"text": "a few words " * 6}) + "\n"
    peaks = []
    for megabytes in (20, 200):
        path = tmp_path / "a.jsonl"
        path.write_text(line * (megabytes * 1_000_000 // len(line)))
        peaks.append(peak_memory(command([path], tokenizers / "plain", tmp_path / "out", "--workers", 2)))
        lengths = numpy.fromfile(tmp_path / "out_text_document.idx", dtype="<i4", count=2, offset=34)
        assert lengths[0] == lengths[1]
    assert peaks[1] < peaks[0] + 15 and peaks[1] < 300, peaks


def test_memory_does_not_grow_with_what_is_merged(tmp_path):
    """Two datasets of two million documents each, and six: what the index says of four million more is 80 MB."""
    lengths = numpy.ones(2_000_000, dtype=numpy.int32)
    for name in "abcdef":
        lengths.astype(numpy.uint16).tofile(tmp_path / f"{name}.bin")
        with open(tmp_path / f"{name}.idx", "wb") as index:
            index.write(b"MMIDIDX\0\0" + struct.pack("<QBQQ", 1, 8, len(lengths), len(lengths) + 1))
            lengths.tofile(index)
            (2 * numpy.arange(len(lengths))).tofile(index)
            numpy.arange(len(lengths) + 1).tofile(index)
    peaks = [peak_memory([str(a) for a in [BUILD / "bin/llm-pretrain", "data", "merge", "--overwrite", "--output-prefix", tmp_path / "merged",
                                           *(x for name in names for x in ("--input", tmp_path / name))]]) for names in ("ab", "abcdef")]
    assert (tmp_path / "merged.bin").read_bytes() == b"\1\0" * 12_000_000
    assert peaks[1] < peaks[0] + 15, peaks
