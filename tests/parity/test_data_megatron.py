"""The data layer against megatron-core: files, index arrays and samples must be equal, byte for byte."""

import json
import os
import pathlib
import random
import subprocess

import numpy
import pytest
import torch

builders = pytest.importorskip("megatron.core.datasets.blended_megatron_dataset_builder")
datasets = pytest.importorskip("megatron.core.datasets.gpt_dataset")
indexed = pytest.importorskip("megatron.core.datasets.indexed_dataset")
from megatron.core.datasets.utils import Split  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOL = pathlib.Path(os.environ.get("LONGHAUL_BUILD", ROOT / "build")) / "bin" / "data_tool"
SPLITS = {"train": Split.train, "valid": Split.valid, "test": Split.test}


def carry_out(requests):
    """Runs data_tool once for all requests; an error of any of them fails the test."""
    done = subprocess.run([TOOL], input=json.dumps(requests), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    for request, result in zip(requests, results, strict=True):
        assert "error" not in result, (request, result)
    return results


class Tokenizer:
    """As little of a tokenizer as GPTDataset asks for."""

    def __init__(self, vocab_size):
        self.vocab_size = vocab_size
        self.eod = vocab_size - 1
        self.pad = -1
        self.unique_identifiers = {"class": "Tökenizer", "vocab_size": str(vocab_size)}


def build_with_megatron(prefix, vocab_size, documents):
    builder = indexed.IndexedDatasetBuilder(
        f"{prefix}.bin", dtype=indexed.DType.optimal_dtype(vocab_size)
    )
    for document in documents:
        flat = [token for sequence in document for token in sequence]
        builder.add_document(torch.tensor(flat, dtype=torch.int64), [len(s) for s in document])
    builder.finalize(f"{prefix}.idx")


def random_documents(rng, count, vocab_size, longest, sentences=False):
    documents = []
    for _ in range(count):
        pieces = rng.randrange(0, 4) if sentences else (0 if rng.random() < 0.1 else 1)
        documents.append(
            [[rng.randrange(vocab_size) for _ in range(rng.randint(1, longest))] for _ in range(pieces)]
        )
    return documents


def same_bytes(a, b):
    return pathlib.Path(a).read_bytes() == pathlib.Path(b).read_bytes()


@pytest.mark.parametrize("vocab_size", [300, 50257, 65499, 65500, 151936])
def test_files_are_equal_both_ways(tmp_path, vocab_size):
    rng = random.Random(vocab_size)
    requests, cases = [], []
    for case, count in enumerate([0, 1, 2, 17, 400]):
        documents = random_documents(rng, count, vocab_size, 30, sentences=case % 2 == 1)
        theirs, ours = tmp_path / f"theirs{case}", tmp_path / f"ours{case}"
        build_with_megatron(theirs, vocab_size, documents)
        requests.append({"do": "write", "prefix": str(ours), "vocab_size": vocab_size, "documents": documents})
        requests.append({"do": "read", "prefix": str(theirs)})
        cases.append((documents, theirs, ours))
    results = carry_out(requests)
    for (documents, theirs, ours), read in zip(cases, results[1::2], strict=True):
        assert same_bytes(f"{theirs}.bin", f"{ours}.bin")
        assert same_bytes(f"{theirs}.idx", f"{ours}.idx")
        assert read["sequences"] == [sequence for document in documents for sequence in document]
        assert read["borders"] == numpy.cumsum([0] + [len(d) for d in documents]).tolist()
        if read["sequences"]:  # Megatron cannot map an empty .bin
            reader = indexed.IndexedDataset(str(ours))
            assert [s.tolist() for s in reader] == read["sequences"]


class GptCase:
    """One random corpus with one random setting, built by megatron-core."""

    def __init__(self, folder, seed):
        rng = random.Random(seed)
        self.vocab_size = rng.choice([500, 100000])
        self.sequence_length = rng.choice([1, 2, 3, 7, 16, 64, 333, 1024, 8192])
        self.name = rng.choice(list(SPLITS))
        # Enough documents that no split of this share is without tokens.
        self.split = rng.choice({
            "train": ["969,30,1", "1", "98,2,0", "0.5,0.25,0.25", "100,0,0", "33,33,34"],
            "valid": ["969,30,1", "98,2,0", "1,1", "0,1,0", "90,5,5"],
            "test": ["90,5,5", "0,0,1", "1,0,1", "969,30,1"],
        }[self.name])
        longest = rng.choice([1, 5, 40, 3000])
        count = rng.choice([1, 2, 3, 30]) if self.split in ("1", "100,0,0", "0,1,0", "0,0,1") else 1000
        self.documents = random_documents(rng, count, self.vocab_size, longest if count < 1000 else min(longest, 40))
        self.documents[0] = self.documents[0] or [[1]]
        self.prefix = str(folder / f"corpus{seed}")
        build_with_megatron(self.prefix, self.vocab_size, self.documents)
        low = indexed.IndexedDataset(self.prefix)
        self.seed = rng.choice([0, 1, 1234, 2**32 - 1, rng.randrange(2**32)])
        self.drop_last = not (self.name == "valid" and rng.random() < 0.5)

        self.config = datasets.GPTDatasetConfig(
            random_seed=self.seed, sequence_length=self.sequence_length, blend=([self.prefix], None),
            split=self.split, path_to_cache=str(folder / "theirs"), tokenizer=Tokenizer(self.vocab_size),
            reset_position_ids=False, reset_attention_mask=False, eod_mask_loss=False,
            create_attention_mask=False, drop_last_partial_validation_sequence=self.drop_last,
            num_dataset_builder_threads=1, mid_level_dataset_surplus=0.005,
        )
        low_high = self.config.split_matrix[SPLITS[self.name].value]
        size = low.sequence_lengths.shape[0]
        begin, end = (int(round(x * float(size))) for x in low_high)
        self.tokens = int(low.sequence_lengths[begin:end].sum())
        per_epoch = max(1, (self.tokens - 1) // self.sequence_length)
        choices = [None] if self.tokens > self.sequence_length else []
        # Up to a few epochs, around the borders of an epoch and of the 80 % rule, and many epochs.
        choices += [1, per_epoch, per_epoch + 1, 2 * per_epoch + 1, rng.randint(1, 4 * per_epoch),
                    int(1.8 * per_epoch), int(2.79 * per_epoch) + 1]
        if self.tokens < 200:
            choices.append(rng.randint(1, 50 * per_epoch))
        self.samples = rng.choice(choices)
        self.indices = numpy.arange(begin, end, dtype=numpy.int32)
        self.theirs = None
        if self.tokens > 0:
            self.theirs = datasets.GPTDataset(
                low, self.prefix, self.indices, self.samples, SPLITS[self.name], self.config)

    def request(self, cache_dir):
        return {
            "do": "samples", "prefix": self.prefix, "split": self.name, "split_string": self.split,
            "sequence_length": self.sequence_length, "samples": self.samples, "seed": self.seed,
            "drop_last": self.drop_last, "cache_dir": str(cache_dir),
            "tokenizer": json.dumps(self.config.tokenizer.unique_identifiers),
        }


@pytest.fixture(scope="module")
def gpt_cases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gpt")
    cases = [GptCase(folder, seed) for seed in range(100)]
    cases = [case for case in cases if case.theirs is not None and len(case.theirs) > 0]
    assert len(cases) > 80, "too many corpora without a token in the split"
    return folder, cases


def check_samples(case, result):
    assert result["size"] == len(case.theirs)
    for i, (tokens, labels, valid) in enumerate(result["samples"]):
        if i >= 200:
            break
        theirs = case.theirs[i]
        assert tokens == theirs["tokens"].tolist()
        assert labels == theirs["labels"].tolist()
        mask = [1.0] * valid + [0.0] * (case.sequence_length - valid)
        # Megatron's first sample leaves its padding in the mask of all later ones; the label tells.
        if valid == case.sequence_length:
            assert mask == [1.0] * case.sequence_length
        else:
            assert theirs["loss_mask"].tolist() == mask


def test_orders_and_samples_are_equal(gpt_cases):
    folder, cases = gpt_cases
    results = carry_out([case.request(folder / "ours") for case in cases])
    names = set()
    for case, result in zip(cases, results, strict=True):
        base = f"{case.theirs.unique_description_hash}-GPTDataset-{case.name}-"
        for array in ("document_index.npy", "sample_index.npy", "shuffle_index.npy", "description.txt"):
            # Cases that differ only in drop_last share a name; each corpus has a path of its own, so none do here.
            assert base + array not in names
            names.add(base + array)
            assert same_bytes(folder / "theirs" / (base + array), folder / "ours" / (base + array)), (base, array)
        check_samples(case, result)


def test_each_finds_what_the_other_cached(gpt_cases):
    folder, cases = gpt_cases
    chosen = cases[::10]
    before = {file: file.stat().st_mtime_ns for file in (folder / "theirs").iterdir()}
    for case, result in zip(chosen, carry_out([c.request(folder / "theirs") for c in chosen]), strict=True):
        check_samples(case, result)
    assert {file: file.stat().st_mtime_ns for file in (folder / "theirs").iterdir()} == before, "built anew"

    carry_out([case.request(folder / "shared") for case in chosen])
    before = {file: file.stat().st_mtime_ns for file in (folder / "shared").iterdir()}
    for case in chosen:
        case.config.path_to_cache = str(folder / "shared")
        again = datasets.GPTDataset(case.theirs.dataset, case.prefix, case.indices, case.samples,
                                    SPLITS[case.name], case.config)
        assert (again.document_index == case.theirs.document_index).all()
        assert (again.sample_index == case.theirs.sample_index).all()
        assert (again.shuffle_index == case.theirs.shuffle_index).all()
    assert {file: file.stat().st_mtime_ns for file in (folder / "shared").iterdir()} == before, "built anew"


def build_all_with_megatron(request, folder, blend_per_split):
    config = datasets.GPTDatasetConfig(
        random_seed=request["seed"], sequence_length=request["sequence_length"], path_to_cache=str(folder),
        tokenizer=Tokenizer(1000), reset_position_ids=False, reset_attention_mask=False, eod_mask_loss=False,
        create_attention_mask=False, num_dataset_builder_threads=1, mid_level_dataset_surplus=0.005,
        **({"blend_per_split": blend_per_split} if blend_per_split
           else {"blend": ([request["train"]], None), "split": request["split"]}))
    built = builders.BlendedMegatronDatasetBuilder(
        datasets.GPTDataset, request["requested"], lambda: True, config).build()
    return [None if dataset is None else len(dataset) for dataset in built]


def test_the_three_datasets_of_a_run_are_equal(tmp_path):
    rng = random.Random(11)
    prefixes = []
    for i, count in enumerate([1000, 60]):
        prefixes.append(str(tmp_path / f"corpus{i}"))
        build_with_megatron(prefixes[-1], 1000, random_documents(rng, count, 1000, 40))
    requests, theirs = [], []
    for case in range(20):
        request = {
            "do": "datasets", "train": prefixes[0], "valid": "", "test": "", "split": "969,30,1",
            "sequence_length": rng.choice([8, 33, 128]), "seed": rng.randrange(2**32),
            "requested": [rng.randint(1, 5000), rng.randint(1, 300), rng.randint(1, 30)],
            "tokenizer": json.dumps(Tokenizer(1000).unique_identifiers), "cache_dir": str(tmp_path / f"ours{case}"),
        }
        per_split = None
        if case % 2:
            request["valid"] = prefixes[1]
            per_split = [([prefixes[0]], None), ([prefixes[1]], None), None]
        else:
            request["split"] = rng.choice(["969, 30, 1", "98,2,0", "90,5,5", "0.7,0.2,0.1"])
            if request["split"] == "0.7,0.2,0.1":
                request["requested"][rng.randrange(1, 3)] = None  # one epoch
        requests.append(request)
        theirs.append(build_all_with_megatron(request, tmp_path / f"theirs{case}", per_split))
    for case, (sizes, result) in enumerate(zip(theirs, carry_out(requests), strict=True)):
        assert result == sizes
        files = {file.name for file in (tmp_path / f"theirs{case}").iterdir()}
        ours = {file.name for file in (tmp_path / f"ours{case}").iterdir()}
        assert files == {name for name in ours if not name.endswith("source.json")}
        for name in files:
            assert same_bytes(tmp_path / f"theirs{case}" / name, tmp_path / f"ours{case}" / name), name


@pytest.mark.parametrize("append_eod", [False, True])
def test_prepare_equals_preprocessing(tmp_path, append_eod):
    """Megatron's own rule for one document, restated: sentences without ids are left out, and an EOD counts to the
    last sequence of a document that has any."""
    rng = random.Random(5)
    vocab_size = 1000

    def text():
        return " ".join(str(rng.randrange(vocab_size - 1)) for _ in range(rng.randrange(0, 30)))

    lines, expected = [], {"text": [], "title": []}
    for _ in range(3000):
        record = {"id": rng.random(), "meta": {"text": "7 7 7", "list": [1, [2, {"text": None}]]},
                  "text": [text() for _ in range(rng.randrange(0, 4))] if rng.random() < 0.3 else text(),
                  "title": text()}
        lines.append(json.dumps(record, ensure_ascii=rng.random() < 0.5))
        for key, documents in expected.items():
            value = record[key] if isinstance(record[key], list) else [record[key]]
            document = [[int(x) for x in s.split()] for s in value if s]
            if document and append_eod:
                document[-1].append(vocab_size - 1)
            documents.append(document)
    half = len(lines) // 2
    (tmp_path / "a.jsonl").write_text("\n".join(lines[:half]) + "\n")
    (tmp_path / "b.jsonl").write_text("\r\n".join(lines[half:]))  # no newline at the end
    for key, documents in expected.items():
        build_with_megatron(tmp_path / f"theirs_{key}", vocab_size, documents)
    for workers in (1, 3):
        [report] = carry_out([{
            "do": "prepare", "inputs": [str(tmp_path / "*.jsonl")], "keys": ["text", "title"],
            "prefix": str(tmp_path / f"ours{workers}"), "append_eod": append_eod, "workers": workers,
            "vocab_size": vocab_size}])
        assert report["documents"] == 3000
        for key in expected:
            for half_name in (".bin", ".idx"):
                ours = tmp_path / f"ours{workers}_{key}_document{half_name}"
                assert same_bytes(tmp_path / f"theirs_{key}{half_name}", ours)
