"""Folders as checkpoints have them, against `transformers`: special ids, and what is put around a text."""

import json
import subprocess

import pytest
from test_tokenizer import TOOL, run
from tokenizer_kinds import gpt2, sentence_piece
from transformers import PreTrainedTokenizerFast

TEXTS = ["", "Hello world", "<s>a</s> b", "中文 <|endoftext|>"]
LLAMA = {"bos_token": "<s>", "eos_token": "</s>", "tokenizer_class": "PreTrainedTokenizerFast"}
WRAPPED = {"content": "</s>", "lstrip": False, "normalized": False, "rstrip": False, "single_word": False}

CASES = {
    "strings": {"tokenizer_config.json": LLAMA},
    "objects": {"tokenizer_config.json": {**LLAMA, "eos_token": {"__type": "AddedToken", **WRAPPED}}},
    "map_overrides": {"tokenizer_config.json": LLAMA, "special_tokens_map.json": {"eos_token": "<unk>", "pad_token": WRAPPED}},
    "map_is_ignored": {
        "tokenizer_config.json": {**LLAMA, "added_tokens_decoder": {"2": {**WRAPPED, "special": True}}},
        "special_tokens_map.json": {"eos_token": "<unk>"},
    },
    "add_eos": {"tokenizer_config.json": {**LLAMA, "add_bos_token": True, "add_eos_token": True}},
    "no_bos": {"tokenizer_config.json": {**LLAMA, "add_bos_token": False, "pad_token": None}},
    "eos_only": {"tokenizer_config.json": {**LLAMA, "add_eos_token": True}},
}


def info(folder):
    done = subprocess.run([TOOL, folder, "--info"], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("case", CASES)
def test_folder(case, tmp_path):
    sentence_piece(None).save(str(tmp_path / "tokenizer.json"))
    for name, content in CASES[case].items():
        (tmp_path / name).write_text(json.dumps(content))
    reference = PreTrainedTokenizerFast.from_pretrained(str(tmp_path))
    ours = info(tmp_path)
    assert ours["bos"] == reference.bos_token_id
    assert ours["eos"] == reference.eos_token_id
    assert ours["pad"] == reference.pad_token_id
    assert ours["vocab_size"] == len(reference)
    for text, answer in zip(TEXTS, run(tmp_path, TEXTS)):
        assert answer["ids"] == reference(text)["input_ids"]
        assert answer["plain_ids"] == reference(text, add_special_tokens=False)["input_ids"]


def test_saved_by_transformers(tmp_path):
    PreTrainedTokenizerFast(
        tokenizer_object=gpt2(), bos_token="<|endoftext|>", eos_token="<|endoftext|>", pad_token="<pad>"
    ).save_pretrained(str(tmp_path))
    reference = PreTrainedTokenizerFast.from_pretrained(str(tmp_path))
    ours = info(tmp_path)
    assert (ours["bos"], ours["eos"], ours["pad"]) == (0, 0, reference.pad_token_id)
    assert ours["vocab_size"] == len(reference)
    for text, answer in zip(TEXTS, run(tmp_path, TEXTS)):
        assert answer["ids"] == reference(text)["input_ids"]


def test_disagreement_is_said(tmp_path):
    sentence_piece(None).save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({**LLAMA, "add_bos_token": True, "add_eos_token": True}))
    done = subprocess.run([TOOL, tmp_path, "--info"], capture_output=True, text=True, check=True)
    assert "add_eos_token" in done.stderr and "add_bos_token" not in done.stderr


def test_ids_of_the_model_files(tmp_path):
    """A bare folder: the special ids stand in generation_config.json and config.json only."""
    sentence_piece(None).save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": [2, 0]}))
    (tmp_path / "config.json").write_text(json.dumps({"bos_token_id": 1, "eos_token_id": 7, "pad_token_id": None}))
    ours = info(tmp_path)
    assert (ours["bos"], ours["eos"], ours["pad"]) == (1, 2, None)
