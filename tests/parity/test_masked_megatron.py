"""BERT's and T5's datasets against megatron-core: the order, the cached files and every sample must be equal."""

import json
import pathlib
import random

import numpy
import pytest
import torch

bert = pytest.importorskip("megatron.core.datasets.bert_dataset")
t5 = pytest.importorskip("megatron.core.datasets.t5_dataset")
indexed = pytest.importorskip("megatron.core.datasets.indexed_dataset")
from megatron.core.datasets import helpers  # noqa: E402
from megatron.core.datasets.utils import Split  # noqa: E402

from support import run_tool  # noqa: E402

SPLITS = {"train": Split.train, "valid": Split.valid, "test": Split.test}


class Tokenizer:
    """As little of a tokenizer as the datasets ask for. Ids from `first` on are words; every third goes on with a word."""

    pad, cls, sep, mask, bos, eos = 0, 2, 3, 4, 5, 6
    unique_identifiers = {"class": "Tökenizer"}
    special_tokens_dict = {"cls_token": 2}

    def __init__(self, size, sentinels):
        self.size = size
        self.additional_special_tokens_ids = sentinels
        self.inv_vocab = {i: f"##{i}" if 10 <= i < min(sentinels) and i % 3 == 2 else f"w{i}" for i in range(size)}

    def as_json(self):
        return {"cls": 2, "sep": 3, "mask": 4, "pad": 0, "bos": 5, "eos": 6, "sentinels": self.additional_special_tokens_ids,
                "continues": [i for i, piece in self.inv_vocab.items() if piece.startswith("##")], "size": self.size}


def write_corpus(prefix, documents):
    builder = indexed.IndexedDatasetBuilder(f"{prefix}.bin", dtype=numpy.uint16)
    for document in documents:
        flat = [token for sentence in document for token in sentence]
        builder.add_document(torch.tensor(flat, dtype=torch.int64), [len(s) for s in document])
    builder.finalize(f"{prefix}.idx")
    return str(prefix)


def random_documents(rng, count, words, mean):
    def sentence():
        length = 600 if rng.random() < 0.01 else rng.randint(1, 2 * mean)
        return [rng.randrange(10, words) for _ in range(length)]

    return [[sentence() for _ in range(rng.choice([0, 1, 1, 2, 3, rng.randint(1, 20)]))] for _ in range(count)]


@pytest.fixture(scope="module", autouse=True)
def one_rank():
    """The datasets ask which rank they are on."""
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


def make_case(folder, number, kind):
    rng = random.Random(f"{kind} {number}")
    tokenizer = Tokenizer(2300, list(range(1900, 2300)))
    documents = random_documents(rng, rng.choice([40, 120]), 1900, rng.choice([4, 15, 40]))
    documents[0] = [[11, 12, 13], [14, 15], [16]]  # each split's beginning has a document of use
    prefix = write_corpus(folder / f"{kind}{number}", documents)
    split = rng.choice([("train", "969,30,1"), ("train", "1"), ("valid", "1,1,0"), ("test", "1,0,1"), ("train", "100,0,0")])
    masking = {"probability": rng.choice([0.15, 0.15, 0.05, 0.5]), "max_ngram": rng.choice([1, 2, 3, 10]),
               "whole_words": rng.random() < 0.7, "longer_ngrams": rng.random() < 0.3, "geometric": rng.random() < 0.4}
    request = {"do": kind, "prefix": prefix, "split": split[0], "split_string": split[1],
               "sequence_length": rng.choice([20, 64, 128, 512]), "samples": rng.choice([1, 50, 300]),
               "seed": rng.choice([1, 1234, 2**31 - 2, rng.randrange(1, 2**31 - 1)]),
               "short_probability": rng.choice([0.0, 0.1, 0.5, 1.0]), "masking": masking, "cache_dir": str(folder / "ours"),
               "tokenizer": json.dumps(tokenizer.unique_identifiers), "vocabulary": tokenizer.as_json()}
    options = dict(
        random_seed=request["seed"], sequence_length=request["sequence_length"], blend=([prefix], None), split=split[1],
        path_to_cache=str(folder / "theirs"), tokenizer=tokenizer, num_dataset_builder_threads=1, mid_level_dataset_surplus=0.005,
        masking_probability=masking["probability"], short_sequence_probability=request["short_probability"],
        masking_max_ngram=masking["max_ngram"], masking_do_full_word=masking["whole_words"], masking_do_permutation=False,
        masking_use_longer_ngrams=masking["longer_ngrams"], masking_use_geometric_distribution=masking["geometric"])
    if kind == "bert":
        request["sentence_pairs"] = rng.random() < 0.6
        config = bert.BERTMaskedWordPieceDatasetConfig(classification_head=request["sentence_pairs"], **options)
        dataset_class = bert.BERTMaskedWordPieceDataset
    else:
        request["decoder_length"] = request["sequence_length"]
        config = t5.T5MaskedWordPieceDatasetConfig(sequence_length_decoder=request["decoder_length"], **options)
        dataset_class = t5.T5MaskedWordPieceDataset
    low = indexed.IndexedDataset(prefix)
    begin, end = (int(round(x * float(len(documents)))) for x in config.split_matrix[SPLITS[split[0]].value])
    theirs = dataset_class(low, prefix, numpy.arange(begin, end, dtype=numpy.int32), request["samples"], SPLITS[split[0]], config)
    return request, theirs


def check_bert(theirs, ours):
    length = ours["length"]
    assert ours["tokens"] == theirs["text"].tolist()
    assert ours["types"] == theirs["types"].tolist()
    assert ours["labels"] == theirs["labels"].tolist()
    # Where a token was replaced by a random one that happens to be the pad, Megatron takes it for padding.
    assert [int(i < length and token != 0) for i, token in enumerate(ours["tokens"])] == theirs["padding_mask"].tolist()
    assert 0 not in [token for token, label in zip(ours["tokens"][:length], ours["labels"]) if label == -1]
    assert [int(label != -1) for label in ours["labels"]] == theirs["loss_mask"].tolist()
    assert (ours["swapped"], ours["truncated"]) == (theirs["is_random"], theirs["truncated"])


def check_t5(theirs, ours):
    assert ours["encoder"] == theirs["text_enc"].tolist()
    assert ours["decoder"] == theirs["text_dec"].tolist()
    assert ours["labels"] == theirs["labels"].tolist()
    assert [int(i < ours["encoder_length"]) for i in range(len(ours["encoder"]))] == theirs["enc_mask"].tolist()
    assert [int(i < ours["decoder_length"]) for i in range(len(ours["decoder"]))] == theirs["dec_mask"].tolist()
    assert theirs["loss_mask"].tolist() == theirs["dec_mask"].tolist()
    assert ours["truncated"] == theirs["truncated"]


@pytest.mark.parametrize("kind, check", [("bert", check_bert), ("t5", check_t5)])
def test_orders_files_and_samples_are_equal(tmp_path, kind, check):
    cases = [make_case(tmp_path, number, kind) for number in range(40)]
    requests = [request for request, _ in cases]
    results = json.loads(run_tool("sample_tool", input=json.dumps(requests)).stdout)
    compared = 0
    for (request, theirs), result in zip(cases, results, strict=True):
        assert "error" not in result, (result, request)
        assert result["rows"] == theirs.sample_index.tolist()
        for i, sample in enumerate(result["samples"]):
            check(theirs[i], sample)
            compared += 1
    assert compared > 5000
    names = {file.name for file in (tmp_path / "theirs").iterdir()}
    assert names == {file.name for file in (tmp_path / "ours").iterdir() if not file.name.endswith("source.json")}
    for name in names:
        assert (tmp_path / "theirs" / name).read_bytes() == (tmp_path / "ours" / name).read_bytes(), name
    # Each finds what the other wrote.
    state = {file: file.stat().st_mtime_ns for file in (tmp_path / "theirs").iterdir()}
    again = [request | {"cache_dir": str(tmp_path / "theirs")} for request in requests[::8]]
    for result, first in zip(json.loads(run_tool("sample_tool", input=json.dumps(again)).stdout), results[::8], strict=True):
        assert result == first
    assert state == {file: file.stat().st_mtime_ns for file in (tmp_path / "theirs").iterdir()}, "built anew"


def test_the_mapping_is_the_helpers(tmp_path):
    """Against the compiled helper alone, whose seed and length are given directly: many epochs, every number of sentences."""
    rng = random.Random(5)
    requests, expected = [], []
    tokenizer = Tokenizer(2300, list(range(1900, 2300)))
    for case in range(33):
        documents = random_documents(rng, rng.choice([3, 30, 300]), 1900, 8) + [[[11], [12], [13]]]
        if case >= 30:  # more than one thread, rows of hundreds of sentences
            documents = [[[11] * rng.randrange(1, 4) for _ in range(rng.choice([0, 1, 5, 40, 900]))] for _ in range(500)]
            documents[rng.randrange(500)] = [[11], [12] * 513]
        prefix = write_corpus(tmp_path / f"corpus{case}", documents)
        low = indexed.IndexedDataset(prefix)
        length, seed, pairs = rng.choice([5, 9, 40, 300]), rng.randrange(1, 2**31 - 1), rng.random() < 0.5
        short, samples = rng.choice([0, 0.03, 0.1, 0.3, 0.5, 1]), rng.choice([None, 1, 10, 3000])
        if case >= 30:
            length, short, samples = 800, [0, 0.1, 1][case - 30], [None, 3000, 20_000][case - 30]
        request = {"do": "bert", "prefix": prefix, "split": "train", "split_string": None, "sequence_length": length,
                   "samples": samples, "seed": seed, "short_probability": short, "cache_dir": str(tmp_path / "cache"),
                   "masking": {"probability": 0.15, "max_ngram": 3, "whole_words": True, "longer_ngrams": False,
                               "geometric": False},
                   "tokenizer": "null", "vocabulary": tokenizer.as_json(), "sentence_pairs": pairs}
        requests.append(request)
        epochs = 1 if samples is None else numpy.iinfo(numpy.int32).max - 1
        expected.append(helpers.build_mapping(low.document_indices, low.sequence_lengths, epochs, samples or 2**40, length - 3,
                                              short, seed, False, 2 if pairs else 1).tolist())
    for result, rows in zip(json.loads(run_tool("sample_tool", input=json.dumps(requests)).stdout), expected, strict=True):
        assert "error" not in result, result
        assert result["rows"] == rows
    assert pathlib.Path(tmp_path / "cache").is_dir()
