"""Longhaul's tokenizer against the `tokenizers` library: the same ids and the same text, for every text."""

import json
import pathlib
import subprocess

import pytest
from tokenizer_kinds import KINDS, fuzz

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOL = ROOT / "build" / "bin" / "tokenizer_tool"


def run(path, texts, *arguments):
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    done = subprocess.run([TOOL, path, *arguments], input=lines, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.split("\n")[:-1]]


def check(reference, path, texts):
    answers = run(path, texts)
    assert len(answers) == len(texts)
    for text, encoding, answer in zip(texts, reference.encode_batch(texts), answers):
        assert answer["ids"] == encoding.ids, text
        assert answer["plain_ids"] == reference.encode(text, add_special_tokens=False).ids, text
        assert answer["decoded"] == reference.decode(encoding.ids, skip_special_tokens=False), text
        assert answer["skipped"] == reference.decode(encoding.ids, skip_special_tokens=True), text
        assert answer["streamed"] == answer["decoded"], text


@pytest.mark.parametrize("kind", KINDS)
def test_fuzzed_text(kind, tmp_path):
    reference = KINDS[kind]()
    path = tmp_path / "tokenizer.json"
    reference.save(str(path))
    check(reference, path, list(fuzz(seed=7, characters=1_000_000)))
