"""Fixtures of the command line's tests."""

import pytest

from cli_support import make_model, prepare


@pytest.fixture(scope="module")
def hf(tmp_path_factory):
    """A small Llama with a tokenizer: 256 positions, rotary scaling llama3 with factor 4."""
    folder = tmp_path_factory.mktemp("model") / "hf"
    make_model(folder)
    return folder


@pytest.fixture(scope="module")
def data(hf, tmp_path_factory):
    """The prefix of a small dataset, prepared with its tokenizer."""
    return prepare(tmp_path_factory.mktemp("data"), hf)
