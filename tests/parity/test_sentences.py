"""Sentences are NLTK's, and `prepare --split-sentences` makes the bytes that Megatron-LM's preprocessing makes of them."""

import gzip
import json
import os
import random
import shutil
import signal
import subprocess
import time

import pytest

import prepare_corpora as corpora
import sentence_texts
from prepare_reference import preprocess, sentence_splitter
from prepare_runs import KEYS, NLTK_DATA, SENTENCE_MODELS, as_python_reads, call, command, outputs, prepare
from support import BUILD, run_tool

LANGUAGES = sorted(folder.name for folder in SENTENCE_MODELS.iterdir() if folder.is_dir())


def ours(texts, language="english", keep_newlines=False):
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    more = ["--keep-newlines"] if keep_newlines else []
    return [json.loads(line) for line in run_tool("sentence_tool", SENTENCE_MODELS / language, *more, input=lines).stdout.split("\n")[:-1]]


def assert_same(texts, language="english", keep_newlines=False, least_sentences=0):
    splitter = sentence_splitter(language, keep_newlines)
    found = ours(texts, language, keep_newlines)
    assert len(found) == len(texts) and sum(map(len, found)) >= least_sentences
    for text, sentences in zip(texts, found, strict=True):
        assert sentences == splitter.tokenize(text), text[:2000]


@pytest.mark.parametrize("keep_newlines", [False, True])
def test_english_text(keep_newlines):
    texts = sentence_texts.english()
    assert sum(map(len, texts)) > 500_000, "this machine has too little documentation"
    # More than a million characters would be cut into pieces; that is another test.
    assert_same([text for text in texts if len(text) <= 1_000_000], "english", keep_newlines, 5000)


@pytest.mark.parametrize("keep_newlines", [False, True])
@pytest.mark.parametrize("language", LANGUAGES)
def test_made_up_text(language, keep_newlines):
    rng = random.Random(f"{language} {keep_newlines}")
    vocabulary = sentence_texts.vocabulary(SENTENCE_MODELS / language)
    assert_same([sentence_texts.made_up(rng, 60, vocabulary) for _ in range(2000 if language == "english" else 500)], language, keep_newlines,
                4000)


def test_long_texts_are_cut_into_pieces():
    """Of a million characters, which are not bytes."""
    text = "Das Café in Köln ist schön. Mr. Brown, z.B., goes in! 東京 " * 40_000
    assert len(text) > 2_000_000
    splitter = sentence_splitter()
    expected = [s for i in range(0, len(text), 1_000_000) for s in splitter.tokenize(text[i:i + 1_000_000])]
    assert ours([text]) == [expected]


@pytest.mark.parametrize("unit", ["!", "a.", ". ", ".\u00a0", "?\"", "-", ". \n", "a", "..", ",", "\u00a0", "(.)"])
def test_no_quadratic_case(unit):
    """Half a million of anything; the time is that of any other text."""
    text = unit * (500_000 // len(unit))
    start = time.perf_counter()
    ours([text]), ours([text], keep_newlines=True)
    assert time.perf_counter() - start < 5


def prose(rng):
    return sentence_texts.made_up(rng, 40)


def corpus(seed, lines):
    """JSON lines with texts to split, lists that are split already, and empty ones."""
    rng = random.Random(seed)
    value = lambda: [prose(rng), "", prose(rng)] if rng.random() < 0.1 else "" if rng.random() < 0.05 else prose(rng)  # noqa: E731
    return "".join(json.dumps({"text": value(), "id": i, "title": value()}, ensure_ascii=rng.random() < 0.5) + "\n"
                   for i in range(lines)).encode()


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizers")
    corpora.byte_tokenizer(folder / "plain")
    corpora.byte_tokenizer(folder / "begin", bos=True)
    return folder


def expected(lines, tokenizer, prefix, keys=KEYS, **which):
    preprocess(lines, tokenizer, keys, prefix, True, 0, splitter=sentence_splitter(**which))
    return outputs(prefix, keys, "sentence")


@pytest.mark.parametrize("kind", ["plain", "begin"])
@pytest.mark.parametrize("which", [{}, {"keep_newlines": True}, {"language": "german"}])
def test_prepare_equals_preprocessing(tokenizers, tmp_path, kind, which):
    """With "begin" the tokenizer puts a token before every sentence, as BERT's does."""
    data = corpus(3, 1500)
    truth = expected(as_python_reads(data)[:-1], tokenizers / kind, tmp_path / "theirs", **which)
    more = ["--split-sentences", "--json-keys", "text,title"] + ["--keep-newlines"] * which.get("keep_newlines", False)
    more += ["--language", which["language"]] if "language" in which else []
    for workers, (name, content) in enumerate([("a.jsonl", data), ("a.jsonl.gz", gzip.compress(data)), ("a.jsonl.zst", corpora.zstd(data))], 1):
        (tmp_path / name).write_bytes(content)
        result = prepare([tmp_path / name], tokenizers / kind, tmp_path / "ours", *more, "--workers", workers)
        assert outputs(tmp_path / "ours", level="sentence") == truth, name
    assert b"sentences" in result.stdout and not list(tmp_path.glob("ours*_document*"))
    header = json.loads((tmp_path / "ours_text_sentence.json").read_text())
    assert header["sentences"].startswith("punkt ")


def test_the_model_may_be_a_folder_of_ones_own(tokenizers, tmp_path):
    data = corpus(4, 200)
    (tmp_path / "a.jsonl").write_bytes(data)
    shutil.copytree(SENTENCE_MODELS / "italian", tmp_path / "model")
    prepare([tmp_path / "a.jsonl"], tokenizers / "plain", tmp_path / "ours", "--split-sentences", "--sentence-model", tmp_path / "model")
    truth = expected(as_python_reads(data)[:-1], tokenizers / "plain", tmp_path / "theirs", ["text"], language="italian")
    assert outputs(tmp_path / "ours", ["text"], "sentence") == truth


def test_text_files(tokenizers, tmp_path):
    rng = random.Random(5)
    texts = [prose(rng) + "." for _ in range(20)]
    for i, text in enumerate(texts):
        (tmp_path / f"{i:02}.txt").write_text(text, newline="")
    prepare([tmp_path / "*.txt"], tokenizers / "plain", tmp_path / "ours", "--split-sentences")
    truth = expected([json.dumps({"text": text}) for text in texts], tokenizers / "plain", tmp_path / "theirs", ["text"])
    assert outputs(tmp_path / "ours", ["text"], "sentence") == truth


def test_bad_lines_and_killed_runs(tokenizers, tmp_path):
    """What is sealed of a run that was killed goes on to the same bytes, less the bad lines."""
    good = as_python_reads(corpus(6, 300))[:-1] * 20
    lines = list(good)
    for i in range(5, len(lines), 500):
        lines.insert(i, "{not JSON")
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    truth = expected(good, tokenizers / "plain", tmp_path / "theirs", ["text"])
    arguments = command([tmp_path / "a.jsonl"], tokenizers / "plain", tmp_path / "ours", "--split-sentences", "--on-bad-line", "quarantine",
                        "--seal-every", 1, "--workers", 1)
    journal = tmp_path / "ours.preparing" / "journal.json"
    process = subprocess.Popen(arguments, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=os.environ | {"NLTK_DATA": str(NLTK_DATA)})
    while process.poll() is None and not journal.exists():
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    result = call(arguments)
    assert result.returncode == 0 and b"an earlier run sealed" in result.stderr, result.stderr
    assert outputs(tmp_path / "ours", ["text"], "sentence") == truth
    assert len((tmp_path / "ours.quarantine.jsonl").read_text().splitlines()) == len(lines) - len(good)
    # Work of a run that split otherwise is of no use.
    process = subprocess.Popen(arguments, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=os.environ | {"NLTK_DATA": str(NLTK_DATA)})
    while process.poll() is None and not journal.exists():
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    result = call([*arguments, "--keep-newlines"])
    assert result.returncode == 0 and b"differs in: sentences" in result.stderr, result.stderr


def test_merge_refuses_other_sentences(tokenizers, tmp_path):
    (tmp_path / "a.jsonl").write_bytes(corpus(7, 20))
    prepare([tmp_path / "a.jsonl"], tokenizers / "plain", tmp_path / "a", "--split-sentences")
    prepare([tmp_path / "a.jsonl"], tokenizers / "plain", tmp_path / "b", "--split-sentences", "--keep-newlines")
    merge = [BUILD / "bin/llm-pretrain", "data", "merge", "--output-prefix", tmp_path / "c"]
    result = call([*merge, "--input", tmp_path / "a_text_sentence", "--input", tmp_path / "b_text_sentence"])
    assert result.returncode == 2 and b"different sentences" in result.stderr, result.stderr


def test_what_a_user_can_get_wrong(tokenizers, tmp_path, monkeypatch):
    (tmp_path / "a.jsonl").write_text('{"text": "One. Two."}\n')
    arguments = command([tmp_path / "a.jsonl"], tokenizers / "plain", tmp_path / "out")

    def refused(*more, data=NLTK_DATA):
        result = subprocess.run([*arguments, *map(str, more)], capture_output=True, text=True,
                                env=os.environ | {"NLTK_DATA": str(data), "HOME": str(tmp_path)})
        assert result.returncode == 2 and not list(tmp_path.glob("out*")), result.stderr
        return result.stderr

    assert "needs" in refused("--keep-newlines").lower() or "requires" in refused("--keep-newlines").lower()
    refused("--language", "german")
    refused("--split-sentences", "--language", "german", "--sentence-model", SENTENCE_MODELS / "german")
    assert "there is one for: czech, danish" in refused("--split-sentences", "--language", "klingon")
    assert "no name of a language" in refused("--split-sentences", "--language", "../english")
    missing = refused("--split-sentences", data=tmp_path / "nowhere")
    assert "nltk.downloader punkt_tab" in missing and "--sentence-model" in missing and str(tmp_path / "nowhere") in missing
    packed = tmp_path / "packed/tokenizers"
    packed.mkdir(parents=True)
    (packed / "punkt_tab.zip").touch()
    assert "packed" in refused("--split-sentences", data=tmp_path / "packed")
    assert "no file abbrev_types.txt" in refused("--split-sentences", "--sentence-model", tmp_path)
    model = tmp_path / "model"
    for name, content, message in (("ortho_context.tab", b"word\tmany\n", "ortho_context.tab, line 1"), ("ortho_context.tab", b"a\t2\nb\t256\n", "line 2"),
                                   ("collocations.tab", b"a\tb\tc\n", "two columns"), ("abbrev_types.txt", b"a\n\xff\n", "line 2: this is not UTF-8")):
        shutil.copytree(SENTENCE_MODELS / "english", model, dirs_exist_ok=True)
        (model / name).write_bytes(content)
        assert message in refused("--split-sentences", "--sentence-model", model)
