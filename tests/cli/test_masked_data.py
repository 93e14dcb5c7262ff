"""Looking at samples for BERT and T5."""

import json
import re

import pytest
import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

from cli_support import fails, ok

SENTENCES = [f"the quick brown fox number {i} jumps over {i * 37 % 101} lazy dogs ." for i in range(60)]
DOCUMENTS = [SENTENCES[5 * i:5 * i + 1 + i % 5] for i in range(12)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A WordPiece tokenizer and a corpus of sentences."""
    folder = tmp_path_factory.mktemp("masked")
    tokenizer = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(cleanup=False)
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *[f"<extra_id_{i}>" for i in range(30)]]
    tokenizer.train_from_iterator(SENTENCES, trainers.WordPieceTrainer(vocab_size=120, special_tokens=specials, show_progress=False))
    (folder / "bert").mkdir()
    tokenizer.save(str(folder / "bert" / "tokenizer.json"))
    (folder / "c.jsonl").write_text("".join(json.dumps({"text": document}) + "\n" for document in DOCUMENTS))
    ok("prepare", "--input", folder / "c.jsonl", "--tokenizer", folder / "bert", "--output-prefix", folder / "c")
    return folder


def masked(folder, kind, *more):
    return ok("data", "masked", folder / "c_text_document", "--as", kind, "--tokenizer", folder / "bert", *more).stdout


def lines(shown, name):
    return [json.loads(found) for found in re.findall(rf"^  {name} +(\".*\")$", shown, re.MULTILINE)]


def test_bert(folder):
    shown = masked(folder, "bert", "--samples", 20, "--sequence-length", 48)
    tokens = lines(shown, "tokens")
    assert len(tokens) > 10 and all(text.startswith("[CLS]") and text.endswith("[SEP]") for text in tokens)
    assert all(text.count("[SEP]") == 2 for text in tokens) and sum("[MASK]" in text for text in tokens) > 5
    assert "exchanged" in shown and "as in the text" in shown
    assert all(lines(shown, "hidden"))
    single = masked(folder, "bert", "--samples", 20, "--sequence-length", 48, "--no-pairs")
    assert all(text.count("[SEP]") == 1 for text in lines(single, "tokens")) and "exchanged" not in single


def test_t5_parts_make_the_text_again(folder):
    shown = masked(folder, "t5", "--samples", 12, "--sequence-length", 96)
    encoder, labels = lines(shown, "encoder"), lines(shown, "labels")
    assert len(encoder) == 12
    documents = {" ".join(document) for document in DOCUMENTS}
    for text, missing in zip(encoder, labels, strict=True):
        assert missing.endswith("[SEP]")
        pieces = re.split(r"<extra_id_\d+>", missing.removesuffix("[SEP]"))[1:]
        for i, piece in enumerate(pieces):
            text = text.replace(f"<extra_id_{i}>", piece.strip())
        assert any(text.replace(" ##", "") in document for document in documents), text


def test_mistakes(folder, tmp_path):
    fails(2, "[MASK]", "data", "masked", folder / "c_text_document", "--as", "bert", "--tokenizer", no_specials(tmp_path))
    fails(2, "tokens for the decoder", "data", "masked", folder / "c_text_document", "--as", "t5", "--tokenizer", folder / "bert",
          "--decoder-length", 3)
    fails(2, "too short", "data", "masked", folder / "c_text_document", "--as", "bert", "--tokenizer", folder / "bert",
          "--sequence-length", 4)


def no_specials(folder):
    tokenizer = tokenizers.Tokenizer(models.WordLevel({"a": 0, "[UNK]": 1}, unk_token="[UNK]"))
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder
