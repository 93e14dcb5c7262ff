"""Runs of `llm-pretrain prepare`, and what comes out of them."""

import os
import pathlib
import subprocess
import sys

from support import BUILD

KEYS = ["text", "title"]
# Where the oracle's environment has NLTK's models; NLTK looks there of its own accord.
NLTK_DATA = pathlib.Path(sys.prefix) / "nltk_data"
SENTENCE_MODELS = NLTK_DATA / "tokenizers/punkt_tab"


def command(inputs, tokenizer, prefix, *more):
    return [str(x) for x in [BUILD / "bin/llm-pretrain", "prepare", *(x for i in inputs for x in ("--input", i)), "--tokenizer",
                             tokenizer, "--output-prefix", prefix, "--append-eod", "--overwrite", *more]]


def call(arguments, **more):
    return subprocess.run(arguments, capture_output=True, env=os.environ | {"NLTK_DATA": str(NLTK_DATA)}, **more)


def prepare(inputs, tokenizer, prefix, *more, **keywords):
    result = call(command(inputs, tokenizer, prefix, *more), **keywords)
    assert result.returncode == 0, result.stderr.decode()[-2000:]
    return result


def outputs(prefix, keys=KEYS, level="document"):
    """The bytes of the datasets of a prefix."""
    return {key + half: prefix.with_name(f"{prefix.name}_{key}_{level}{half}").read_bytes()
            for key in keys for half in (".bin", ".idx")}


def as_python_reads(data):
    return data.decode().replace("\r\n", "\n").split("\n")
