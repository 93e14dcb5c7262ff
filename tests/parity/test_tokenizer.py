"""Longhaul's tokenizer against the `tokenizers` library: the same ids and the same text, for every text."""

import json
import os
import pathlib
import subprocess

import pytest
from tokenizer_kinds import KINDS, fuzz
from tokenizer_other_models import OTHER_KINDS
from tokenizers import Tokenizer

# By hand, with 1000000: every kind over a million characters.
CHARACTERS = int(os.environ.get("LONGHAUL_FUZZ_CHARACTERS", "100000"))

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
    encodings = reference.encode_batch(texts)
    ids = [encoding.ids for encoding in encodings]
    expected = {
        "ids": ids,
        "placed_ids": ids,
        "offsets": [list(map(list, encoding.offsets)) for encoding in encodings],
        "plain_ids": [e.ids for e in reference.encode_batch_fast(texts, add_special_tokens=False)],
        "decoded": reference.decode_batch(ids, skip_special_tokens=False),
        "skipped": reference.decode_batch(ids, skip_special_tokens=True),
    }
    expected["streamed"] = expected["decoded"]
    for key, values in expected.items():
        for text, value, answer in zip(texts, values, answers):
            assert answer[key] == value, (key, text)


@pytest.mark.parametrize("kind", [*KINDS, *OTHER_KINDS])
def test_fuzzed_text(kind, tmp_path):
    path = tmp_path / "tokenizer.json"
    {**KINDS, **OTHER_KINDS}[kind]().save(str(path))
    check(Tokenizer.from_file(str(path)), path, list(fuzz(seed=7, characters=CHARACTERS)))
