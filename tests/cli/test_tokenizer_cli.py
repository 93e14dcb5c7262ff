"""llm-pretrain tokenizer: encode, decode, compare and train, against the `tokenizers` library."""

import json
import random
import sys

import pytest
import tokenizers
from cli_support import ROOT, fails, make_tokenizer, ok, run
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import AutoTokenizer

sys.path.insert(0, str(ROOT / "tests" / "parity"))
from tokenizer_kinds import LLAMA3, QWEN, corpus, split_then_bytes  # noqa: E402

TEXTS = ["Hello world", "", "naïve café, 東京!\n", "the quick brown fox"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    make_tokenizer(folder)
    return folder


def write_lines(path, texts):
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return path


def test_encode_and_decode(folder, tmp_path):
    reference = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    lines = write_lines(tmp_path / "texts.jsonl", TEXTS)
    encoded = ok("tokenizer", "encode", "--tokenizer", folder, "--jsonl", lines).stdout
    assert [json.loads(line)["ids"] for line in encoded.splitlines()] == [reference.encode(t).ids for t in TEXTS]
    piped = ok("tokenizer", "encode", "--tokenizer", folder, input=TEXTS[2]).stdout
    assert json.loads(piped)["ids"] == reference.encode(TEXTS[2]).ids
    decoded = ok("tokenizer", "decode", "--tokenizer", folder, "--jsonl", "-", input=encoded).stdout
    assert [json.loads(line)["text"] for line in decoded.splitlines()] == TEXTS
    ids = reference.encode(TEXTS[3]).ids
    assert ok("tokenizer", "decode", "--tokenizer", folder / "tokenizer.json", "--ids", str(ids)).stdout == TEXTS[3] + "\n"


def test_encode_shows_places(folder):
    shown = ok("tokenizer", "encode", "--tokenizer", folder, "--text", "é<|endoftext|>", "--offsets").stdout
    rows = [line.split() for line in shown.splitlines() if line]
    assert rows[0] == ["id", "token", "bytes", "characters", "text"]
    assert rows[-1][1:] == ['"<|endoftext|>"', "2-15", "1-14", '"<|endoftext|>"']
    assert rows[2][2:] == ["0-2", "0-1", '"é"']


def test_compare(folder, tmp_path):
    lines = write_lines(tmp_path / "texts.jsonl", TEXTS)
    same = ok("tokenizer", "compare", folder, folder, "--jsonl", lines).stdout
    assert "0 of 4 texts differ, in 0 places" in same
    make_tokenizer(tmp_path / "small", size=300)
    different = ok("tokenizer", "compare", folder, tmp_path / "small", "--text", "a quick dog").stdout
    assert "1 of 1 texts differ, in 1 places" in different
    row = next(line for line in different.splitlines() if line.startswith("1 "))
    assert "1-7" in row and '"Ġquick" (' in row  # where the smaller one needs more tokens


def test_mistakes(folder, tmp_path):
    fails(2, "is no token id", "tokenizer", "decode", "--tokenizer", folder, "--ids", "1,x")
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"text": "a"}\n{"txt": "b"}\n')
    fails(2, ["bad.jsonl, line 2", "text"], "tokenizer", "encode", "--tokenizer", folder, "--jsonl", bad)
    fails(2, "bad.jsonl, line 2", "tokenizer", "train", "--input", bad, "--output", tmp_path / "out")
    lines = write_lines(tmp_path / "texts.jsonl", TEXTS)
    fails(2, "too small", "tokenizer", "train", "--vocab-size", 100, "--input", lines, "--output", tmp_path / "out")
    fails(2, "too small", "tokenizer", "train", "--kind", "unigram", "--vocab-size", 5, "--input", lines, "--output", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert run("tokenizer").returncode == 2


def repetitive(seed):
    """Few letters: ties, overlaps and tokens that can be made in several ways."""
    rng = random.Random(seed)
    return ["".join(rng.choice("aab ") for _ in range(rng.randint(1, 60))) for _ in range(300)]


CORPORA = {
    "sentences": lambda: list(corpus(seed=2)),
    "more_sentences": lambda: list(corpus(seed=3))[:500],
    "repetitive": lambda: repetitive(1),
    "more_repetitive": lambda: repetitive(2),
    "odd": lambda: ["", "\x00", "aaaa" * 50, "\u00e9\U0001f600 " * 9, "1234567890 12 1 123", "\r\n \n  \t x"] * 3,
}
PATTERNS = {
    "gpt2": pre_tokenizers.ByteLevel(add_prefix_space=False),
    "llama3": split_then_bytes(LLAMA3),
    "qwen2": split_then_bytes(QWEN),
}


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("name", CORPORA)
def test_bpe_is_that_of_the_library(name, pattern, threads, tmp_path):
    texts = CORPORA[name]()
    reference = tokenizers.Tokenizer(models.BPE())
    reference.pre_tokenizer = PATTERNS[pattern]
    specials = ["<|endoftext|>", "<pad>", "a"]
    trainer = trainers.BpeTrainer(vocab_size=900, min_frequency=2, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
                                  special_tokens=specials, show_progress=False)
    reference.train_from_iterator(texts, trainer)
    lines = write_lines(tmp_path / "texts.jsonl", texts)
    ok("tokenizer", "train", "--vocab-size", 900, "--pattern", pattern, "--special-tokens", ",".join(specials),
       "--threads", threads, "--input", lines, "--output", tmp_path / "out")
    ours = json.loads((tmp_path / "out" / "tokenizer.json").read_text())["model"]
    expected = json.loads(reference.to_str())["model"]
    assert ours["merges"] == expected["merges"]
    assert ours["vocab"] == expected["vocab"]


def test_a_folder_of_texts_trains_the_same(tmp_path):
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "one.txt").write_text("\n".join(corpus()), newline="")
    for name, given in (("folder", tmp_path / "texts"), ("file", tmp_path / "texts" / "one.txt")):
        ok("tokenizer", "train", "--vocab-size", 500, "--input", given, "--output", tmp_path / name)
    assert (tmp_path / "folder" / "tokenizer.json").read_bytes() == (tmp_path / "file" / "tokenizer.json").read_bytes()


def test_trained_bpe_is_a_tokenizer(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("\n".join(corpus()), newline="")
    ok("tokenizer", "train", "--vocab-size", 600, "--input", text, "--output", tmp_path / "out")
    loaded = AutoTokenizer.from_pretrained(str(tmp_path / "out"))
    assert loaded.eos_token == "<|endoftext|>" and len(loaded) == 600
    for sample in TEXTS:
        ids = json.loads(ok("tokenizer", "encode", "--tokenizer", tmp_path / "out", "--text", sample).stdout)["ids"]
        assert ids == loaded(sample)["input_ids"] and loaded.decode(ids) == sample


def library_unigram(texts, size):
    reference = tokenizers.Tokenizer(models.Unigram())
    reference.normalizer = normalizers.Sequence(
        [normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    reference.pre_tokenizer = pre_tokenizers.Metaspace()
    reference.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=size, unk_token="<unk>", special_tokens=["<unk>", "<s>", "</s>"],
                                      show_progress=False)
    reference.train_from_iterator(texts, trainer)
    return reference


def test_unigram_without_dropped_pieces_is_that_of_the_library(tmp_path):
    """Seeds and both steps of the fit. A character without a score of its own gets the least one and a little more, in an order
    that the library draws anew in each run."""
    texts = CORPORA["sentences"]()[:600]
    expected = dict(json.loads(library_unigram(texts, 5000).to_str())["model"]["vocab"])
    ok("tokenizer", "train", "--kind", "unigram", "--vocab-size", 5000, "--input", write_lines(tmp_path / "texts.jsonl", texts), "--output",
       tmp_path / "out")
    ours = dict(json.loads((tmp_path / "out" / "tokenizer.json").read_text())["model"]["vocab"])
    assert ours.keys() == expected.keys() and len(ours) > 1000
    differ = [piece for piece in ours if abs(ours[piece] - expected[piece]) > 1e-9]
    assert all(len(piece) == 1 and abs(ours[piece] - expected[piece]) < 0.01 for piece in differ) and len(differ) < 100


@pytest.mark.parametrize("size", [800, 1500, 3000])
def test_unigram_is_nearly_that_of_the_library(size, tmp_path):
    """Where pieces are dropped, the two sides differ in a few. So most of the pieces are the same, with the same scores, and
    the texts come out as short."""
    texts = CORPORA["sentences"]()
    reference = library_unigram(texts, size)
    expected = dict(json.loads(reference.to_str())["model"]["vocab"])
    lines = write_lines(tmp_path / "texts.jsonl", texts)
    ok("tokenizer", "train", "--kind", "unigram", "--vocab-size", size, "--threads", 2, "--input", lines, "--output", tmp_path / "out")
    ours = dict(json.loads((tmp_path / "out" / "tokenizer.json").read_text())["model"]["vocab"])
    assert len(ours) == len(expected)
    common = ours.keys() & expected.keys()
    assert len(common) >= 0.97 * len(expected)
    assert sum(abs(ours[piece] - expected[piece]) < 0.05 for piece in common) >= 0.93 * len(common)
    loaded = tokenizers.Tokenizer.from_file(str(tmp_path / "out" / "tokenizer.json"))
    tokens = [sum(len(e.ids) for e in t.encode_batch(texts)) for t in (loaded, reference)]
    assert abs(tokens[0] / tokens[1] - 1) < 0.005
    fast = AutoTokenizer.from_pretrained(str(tmp_path / "out"))
    sample = "the learning rate"
    ids = json.loads(ok("tokenizer", "encode", "--tokenizer", tmp_path / "out", "--text", sample).stdout)["ids"]
    assert ids == fast(sample)["input_ids"]
