"""Fixtures of the command line's tests."""

import pytest

from cli_support import make_model


@pytest.fixture(scope="module")
def hf(tmp_path_factory):
    """A small Llama with a tokenizer: 256 positions, rotary scaling llama3 with factor 4."""
    folder = tmp_path_factory.mktemp("model") / "hf"
    make_model(folder)
    return folder
