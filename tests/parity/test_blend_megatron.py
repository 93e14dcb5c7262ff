"""Blended datasets against megatron-core: index arrays, descriptions, file names and samples must be equal, byte for byte."""

import json
import pathlib
import random
import subprocess

import numpy
import pytest
import torch

builders = pytest.importorskip("megatron.core.datasets.blended_megatron_dataset_builder")
gpt = pytest.importorskip("megatron.core.datasets.gpt_dataset")
indexed = pytest.importorskip("megatron.core.datasets.indexed_dataset")
from megatron.core.datasets import helpers  # noqa: E402
from megatron.core.datasets.utils import get_blend_from_list, normalize  # noqa: E402

from support import BUILD  # noqa: E402

VOCAB = 1000


def carry_out(requests):
    done = subprocess.run([BUILD / "bin" / "blend_tool"], input=json.dumps(requests), capture_output=True, text=True,
                          timeout=240)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def succeed(requests):
    results = carry_out(requests)
    for request, result in zip(requests, results, strict=True):
        assert not isinstance(result, dict) or "error" not in result, (request, result)
    return results


class Tokenizer:
    """As little of a tokenizer as GPTDataset asks for."""

    vocab_size, eod, pad = VOCAB, VOCAB - 1, -1
    unique_identifiers = {"class": "Tökenizer", "vocab_size": str(VOCAB)}


def write_corpus(prefix, lengths, rng):
    builder = indexed.IndexedDatasetBuilder(f"{prefix}.bin", dtype=numpy.uint16)
    for length in lengths:
        builder.add_document(torch.tensor([rng.randrange(VOCAB) for _ in range(length)], dtype=torch.int64), [length])
    builder.finalize(f"{prefix}.idx")
    return str(prefix)


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    """Twenty corpora from 900 to 16000 tokens, so that a blend needs one epoch of some and many of others."""
    folder, rng = tmp_path_factory.mktemp("corpora"), random.Random(3)
    return [write_corpus(folder / f"corpus{i}", [rng.randint(1, 40) for _ in range(rng.choice([150, 300, 800]))], rng)
            for i in range(20)]


def test_the_two_loops_are_equal(tmp_path):
    rng = random.Random(1)
    requests, expected = [], []
    for case in range(60):
        count = rng.choice([1, 2, 3, 7, 8, 9, 12, 20, 150, 300])
        request = {"do": "index", "prefix": str(tmp_path / f"ours{case}")}
        if case % 2:
            weights = [rng.choice([rng.random(), 10 ** rng.uniform(-4, 4), rng.randint(1, 9)]) for _ in range(count)]
            size = rng.choice([0, 1, 2, 10, 3000])
            request |= {"weights": weights, "size": size}
            datasets, samples = numpy.zeros(size, numpy.int16), numpy.zeros(size, numpy.int64)
            helpers.build_blending_indices(datasets, samples, normalize(weights), count, size, False)
        else:
            lengths = [rng.choice([1, rng.randint(1, 9), rng.randint(1, 500)]) for _ in range(count)]
            size = sum(lengths)
            request |= {"lengths": lengths, "size": size}
            datasets, samples = numpy.zeros(size, numpy.int16), numpy.zeros(size, numpy.int64)
            helpers.build_exhaustive_blending_indices(datasets, samples, lengths, count)
        requests.append(request)
        expected.append((datasets, samples))
    succeed(requests)
    for request, (datasets, samples) in zip(requests, expected, strict=True):
        for name, theirs in (("dataset_index", datasets), ("dataset_sample_index", samples)):
            numpy.save(tmp_path / "theirs.npy", theirs)
            ours = pathlib.Path(f"{request['prefix']}-{name}.npy").read_bytes()
            assert ours == (tmp_path / "theirs.npy").read_bytes(), (request, name)


@pytest.mark.parametrize("lengths, weights", [(None, [0.3, 0.5, 0.2]), (None, [1 / 3, 2 / 7, 0.123, 0.9]),
                                              ([30000, 50000, 20000], None)])
def test_a_hundred_thousand_samples(tmp_path, lengths, weights):
    size = 100000
    datasets, samples = numpy.zeros(size, numpy.int16), numpy.zeros(size, numpy.int64)
    if weights:
        helpers.build_blending_indices(datasets, samples, normalize(weights), len(weights), size, False)
    else:
        helpers.build_exhaustive_blending_indices(datasets, samples, lengths, len(lengths))
    succeed([{"do": "index", "size": size, "prefix": str(tmp_path / "ours")}
             | ({"weights": weights} if weights else {"lengths": lengths})])
    assert (numpy.load(tmp_path / "ours-dataset_index.npy") == datasets).all()
    assert (numpy.load(tmp_path / "ours-dataset_sample_index.npy") == samples).all()


def build_with_megatron(data, requested, cache):
    """Train, valid and test; nothing where megatron-core draws more samples from a corpus than that has, and stops."""
    def blend(text):
        return get_blend_from_list(text.split()) if text else None

    per_split = [blend(data[key]) for key in ("train", "valid", "test")]
    config = gpt.GPTDatasetConfig(
        random_seed=data["seed"], sequence_length=data["sequence_length"], path_to_cache=str(cache), tokenizer=Tokenizer(),
        reset_position_ids=False, reset_attention_mask=False, eod_mask_loss=False, create_attention_mask=False,
        num_dataset_builder_threads=1, mid_level_dataset_surplus=0.005,
        **({"blend_per_split": per_split} if data["valid"] or data["test"]
           else {"blend": per_split[0], "split": data["split"]}))
    try:
        return builders.BlendedMegatronDatasetBuilder(gpt.GPTDataset, requested, lambda: True, config).build()
    except IndexError as error:
        assert "oversamples" in str(error)
        return None


def random_blend(rng, corpora, count, weighted):
    chosen = rng.sample(corpora, count)
    if not weighted:
        return " ".join(chosen)
    weights = [rng.choice([rng.uniform(0.05, 1), rng.randint(1, 5)]) for _ in chosen]
    return " ".join(f"{weight} {prefix}" for weight, prefix in zip(weights, chosen, strict=True))


def compare(requests, theirs, tmp_path):
    """Sizes, samples, and every cached file. What megatron-core can't build, we can."""
    assert theirs.count(None) <= len(theirs) // 4, "too little is compared"
    for case, (request, result) in enumerate(zip(requests, succeed(requests), strict=True)):
        if theirs[case] is None:
            assert result[0]["size"] > 0
            continue
        for ours, megatron in zip(result, theirs[case], strict=True):
            assert (ours is None) == (megatron is None), request
            if ours is None:
                continue
            assert ours["size"] == len(megatron), request
            for i, tokens in enumerate(ours["tokens"]):
                assert tokens == megatron[i]["tokens"].tolist(), (request, i)
        folders = tmp_path / f"theirs{case}", tmp_path / f"ours{case}"
        names = {file.name for file in folders[0].iterdir()}
        assert names == {f.name for f in folders[1].iterdir() if not f.name.endswith("source.json")}, request
        assert any("BlendedDataset" in name for name in names) == any("Blended" in type(t).__name__ for t in theirs[case])
        for name in names:
            assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes(), name


@pytest.fixture
def rank_zero(monkeypatch):
    """megatron-core asks for its rank before it saves a blend."""
    monkeypatch.setattr(torch.distributed, "get_rank", lambda *_: 0)


def request_of(case, tmp_path, data, requested):
    return {"do": "datasets", "data": data | {"cache_dir": str(tmp_path / f"ours{case}")}, "requested": requested,
            "tokenizer": json.dumps(Tokenizer.unique_identifiers), "first": 60}


def test_blends_cut_by_a_split(tmp_path, corpora, rank_zero):
    rng = random.Random(7)
    requests, theirs = [], []
    for case in range(40):
        weighted, count = case % 2 == 0, rng.choice([1, 2, 3, 5, 8, 13, 20])
        data = {"train": random_blend(rng, corpora, count, weighted), "valid": "", "test": "",
                "split": rng.choice(["969,30,1", "90, 5, 5", "98,2,0", "1", "0.5,0.25,0.25"]),
                "sequence_length": rng.choice([1, 7, 16, 16, 33]), "seed": rng.randrange(2**32)}
        if data["split"] == "969,30,1":
            data["split"] = "950,40,10"  # so that the smallest corpus has a whole sample in each
            data["sequence_length"] = min(data["sequence_length"], 7)
        requested = [rng.randint(1, 4000), rng.randint(1, 200), rng.randint(1, 50)]
        if not weighted and rng.random() < 0.5:
            requested[rng.randrange(3)] = None
        if data["split"] == "1":
            requested[1:] = [0, 0]
        requests.append(request_of(case, tmp_path, data, requested))
        theirs.append(build_with_megatron(data, requested, tmp_path / f"theirs{case}"))
    compare(requests, theirs, tmp_path)


def test_blends_of_their_own_for_each_split(tmp_path, corpora, rank_zero):
    rng = random.Random(8)
    requests, theirs = [], []
    for case in range(25):
        data = {"split": "969,30,1", "sequence_length": rng.choice([1, 8, 33]), "seed": rng.randrange(2**32)}
        requested = [rng.randint(1, 3000), rng.randint(1, 200), rng.randint(1, 50)]
        for i, key in enumerate(["train", "valid", "test"]):
            weighted = rng.random() < 0.5
            data[key] = random_blend(rng, corpora, rng.choice([1, 2, 4, 20]), weighted)
            if not weighted and rng.random() < 0.5:
                requested[i] = None
        if case % 3 == 0:
            data["test"], requested[2] = "", 0
        requests.append(request_of(case, tmp_path, data, requested))
        theirs.append(build_with_megatron(data, requested, tmp_path / f"theirs{case}"))
    compare(requests, theirs, tmp_path)


def test_replay_is_a_blend_that_megatron_can_build(tmp_path, corpora, rank_zero):
    a, b, c = corpora[:3]
    data = {"train": f"3 {a} 1 {b}", "valid": "", "test": "", "replay": c, "replay_fraction": 0.2, "split": "1,0,0",
            "sequence_length": 8, "seed": 5}
    same = data | {"train": f"{(1 - 0.2) * 0.75} {a} {(1 - 0.2) * 0.25} {b} 0.2 {c}"}
    theirs = build_with_megatron(same, [500, 0, 0], tmp_path / "theirs0")
    compare([request_of(0, tmp_path, data, [500, 0, 0])], [theirs], tmp_path)


def test_few_samples_of_many_corpora(tmp_path, corpora):
    """Every corpus gets one sample at least."""
    rng = random.Random(2)
    for count in range(3, 21):
        chosen = rng.sample(corpora, count)
        data = {"train": " ".join(f"1 {prefix}" for prefix in chosen), "valid": "", "test": "", "split": "1,0,0",
                "sequence_length": 33, "seed": 1}
        [[train, _, _]] = succeed([request_of(count, tmp_path, data, [count - 1, 0, 0])])
        assert train["size"] == count


def test_a_longer_blend_begins_like_a_shorter_one(tmp_path, corpora):
    data = {"train": f"0.3 {corpora[0]} 0.7 {corpora[1]}", "split": "1,0,0", "sequence_length": 8}
    short, long, other = succeed([
        request_of(0, tmp_path, data, [40, 0, 0]), request_of(1, tmp_path, data, [60, 0, 0]),
        request_of(2, tmp_path, data | {"train": f"0.4 {corpora[0]} 0.6 {corpora[1]}"}, [60, 0, 0])])
    assert short[0]["order_id"] == long[0]["order_id"] != other[0]["order_id"]
    assert long[0]["tokens"][:40] == short[0]["tokens"][:40] != other[0]["tokens"][:40]


@pytest.mark.parametrize("train, message", [
    ("0.3 {a} {b}", "piece 3, \"{b}\", should be a weight"),
    ("{a} 0.7 {b}", "piece 1, \"{a}\", should be a weight"),
    ("0.3 {a} 0.7", "after the last weight, 0.7, no prefix follows"),
    ("0 {a} 1 {b}", "the weight \"0\", must be a number above 0"),
    ("-1 {a} 1 {b}", "the weight \"-1\""),
    ("nan {a} 1 {b}", "the weight \"nan\""),
    ("0.5 {a} 0.5 nowhere", "nowhere.idx"),
    ("   ", "data.train is blank"),
    ("@nowhere.json", "nowhere.json"),
])
def test_mistakes_name_the_piece(tmp_path, corpora, train, message):
    names = {"a": corpora[0], "b": corpora[1]}
    [result] = carry_out([request_of(0, tmp_path, {"train": train.format(**names), "split": "1,0,0"}, [5, 0, 0])])
    assert message.format(**names) in result["error"], result


@pytest.mark.parametrize("text", [
    '[0.3, "{a}", 0.7, "{b}"]', '["0.3", "{a}", "0.7", "{b}"]', "0.3 {a}\n0.7\t{b}\n",
    '{{"train": ["0.3", "{a}", "0.7", "{b}"], "valid": null, "test": null}}', '{{"train": "0.3 {a} 0.7 {b}"}}'])
def test_a_weights_file_is_the_same_blend(tmp_path, corpora, text):
    a, b = corpora[:2]
    file = tmp_path / "blend"
    file.write_text(text.format(a=a, b=b))
    data = {"train": f"0.3 {a} 0.7 {b}", "split": "1,0,0", "sequence_length": 8}
    one, other = succeed([request_of(0, tmp_path, data, [40, 0, 0]),
                          request_of(1, tmp_path, data | {"train": f"@{file}"}, [40, 0, 0])])
    assert one == other


def test_a_damaged_cache_is_built_anew(tmp_path, corpora):
    data = {"train": f"0.3 {corpora[0]} 0.7 {corpora[1]}", "split": "1,0,0", "sequence_length": 8}
    request = request_of(0, tmp_path, data, [40, 0, 0])
    before = succeed([request])
    file = next((tmp_path / "ours0").glob("*dataset_index.npy"))
    whole = file.read_bytes()
    for damaged in (whole[:-2], whole[:-1] + b"\x07", b""):
        file.write_bytes(damaged)
        assert succeed([request]) == before
        assert file.read_bytes() == whole
    next((tmp_path / "ours0").glob("*BlendedDataset*source.json")).unlink()  # as megatron-core leaves it
    file.write_bytes(whole[:-1] + b"\x07")
    assert succeed([request]) == before
    assert file.read_bytes() == whole
