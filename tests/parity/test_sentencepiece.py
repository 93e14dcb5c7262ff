"""Folders with nothing but a SentencePiece model, against `sentencepiece` itself."""

import io
import json
import unicodedata

import pytest
import sentencepiece
from test_tokenizer import run
from tokenizer_kinds import corpus, fuzz

KINDS = {
    "unigram": {"model_type": "unigram"},
    "unigram_bytes": {"model_type": "unigram", "byte_fallback": True, "normalization_rule_name": "identity"},
    "unigram_plain": {"model_type": "unigram", "add_dummy_prefix": False, "remove_extra_whitespaces": False},
    "bpe": {"model_type": "bpe", "normalization_rule_name": "nfkc"},
    "llama2": {
        "model_type": "bpe",
        "byte_fallback": True,
        "normalization_rule_name": "identity",
        "remove_extra_whitespaces": False,
    },
}


def train(folder, **options):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=(line.strip() for line in corpus()), model_writer=model, vocab_size=1200,
        character_coverage=0.98, minloglevel=2, **options,
    )
    (folder / "tokenizer.model").write_bytes(model.getvalue())
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def plain(text):
    """Without what our side leaves out of the comparison. SentencePiece's tables of replacements work on characters,
    those of `tokenizers` (and ours) on clusters of them; its sign for a space is its own affair; and text that spells
    a control token is one for `tokenizers`."""
    kept = (c for c in text if unicodedata.category(c) not in ("Mn", "Mc", "Me", "Cf") and c not in "\r<▁\x00")
    return "".join(kept)


@pytest.mark.parametrize("kind", KINDS)
def test_ids(kind, tmp_path):
    reference = train(tmp_path, **KINDS[kind])
    texts = [plain(text) for text in fuzz(seed=9, characters=60_000)]
    for text, answer in zip(texts, run(tmp_path, texts)):
        assert answer["ids"] == reference.encode(text), text


def test_special_ids(tmp_path):
    reference = train(tmp_path, **KINDS["llama2"])
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "LlamaTokenizer"}))
    (answer,) = run(tmp_path, ["the learning rate"])
    assert answer["ids"] == [reference.bos_id(), *reference.encode("the learning rate")]
    assert answer["skipped"] == "the learning rate"
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"add_bos_token": False, "add_eos_token": True}))
    (answer,) = run(tmp_path, ["the learning rate"])
    assert answer["ids"] == [*reference.encode("the learning rate"), reference.eos_id()]
