"""Fill-in-the-middle against a second implementation of its description in docs/data-formats.md, on the `tokenizers` library
and NumPy's generator; and NumPy's draws themselves."""

import json
import random

import numpy
import pytest
import tokenizers
from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers, trainers

from support import run_tool

LINES = ["def add(a, b):\n    return a + b\n", "class Größe:\n    '''naïve café 東京'''\n", "x = [i * 37 % 101 for i in range(60)]\n",
         "print('the quick brown fox', \"jumps\")  # 👍🏽 done\n", "if x is None:\n\traise ValueError(f'{x!r}')\n"]
SPECIALS = ["<|endoftext|>", "<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<file>", "<s>", "<|other|>"]
EOD, FILE, BOS, OTHER = 0, 4, 5, 6


def byte_level():
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=420, special_tokens=SPECIALS, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(LINES * 5, trainer)
    return tokenizer


def metaspace():
    """As Llama 2's: spaces are letters, and a text gets one in front."""
    tokenizer = tokenizers.Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                           decoders.Strip(" ", 1, 0)])
    specials = [*SPECIALS, "<unk>", *[AddedToken(f"<0x{byte:02X}>", special=False) for byte in range(256)]]
    trainer = trainers.BpeTrainer(vocab_size=700, special_tokens=specials, show_progress=False)
    tokenizer.train_from_iterator(LINES[:2] * 5, trainer)
    data = json.loads(tokenizer.to_str())
    data["added_tokens"] = [token for token in data["added_tokens"] if not token["content"].startswith("<0x")]
    return tokenizers.Tokenizer.from_str(json.dumps(data))


@pytest.fixture(scope="module", params=[byte_level, metaspace], ids=lambda make: make.__name__)
def tokenizer(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param.__name__)
    made = request.param()
    made.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|endoftext|>", "bos_token": "<s>"}))
    return made, str(folder)


def split(ids, separator):
    """The runs between the separators; each but the last is followed by one."""
    runs = [[]]
    for i in ids:
        runs.append([]) if i == separator else runs[-1].append(i)
    return runs


def join(runs, separator):
    joined = list(runs[0])
    for run in runs[1:]:
        joined += [separator, *run]
    return joined


class Reference:
    def __init__(self, tokenizer, options, seed):
        self.tokenizer, self.rng = tokenizer, numpy.random.RandomState(seed)
        self.o = {"spm_rate": 0.5, "fragment_rate": 0.5, "split_sample": "", "no_prefix": ""} | options

    def encode(self, text):
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def part(self, ids, rate):
        if not ids or self.rng.binomial(1, rate) == 0:
            return ids
        head, tail = ([BOS], ids[1:]) if ids[0] == BOS else ([], ids)
        text = self.tokenizer.decode(tail, skip_special_tokens=True)
        if self.o["no_prefix"] and text.startswith(self.o["no_prefix"]):
            return ids
        first, second = sorted(self.rng.randint(0, len(text) + 1, size=2))
        prefix, middle, suffix = map(self.encode, (text[:first], text[first:second], text[second:]))
        if self.rng.binomial(1, self.o["spm_rate"]):
            return [*head, 1, 3, *suffix, 2, *prefix, *middle]
        return [*head, 1, *prefix, 3, *suffix, 2, *middle]

    def document(self, ids):
        if not self.o["split_sample"] or FILE not in ids:
            return self.part(ids, self.o["rate"])
        if self.rng.binomial(1, self.o["rate"]) == 0:
            return ids
        return join([self.part(run, self.o["fragment_rate"]) for run in split(ids, FILE)], FILE)

    def sample(self, tokens, labels, valid):
        ids = [*tokens[:valid], labels[valid - 1]]
        changed = join([self.document(run) for run in split(ids, EOD)], EOD)[:len(ids)]
        length = len(tokens)
        pad = [0] * (length + 1)
        return [(changed + pad)[:length], (changed[1:] + pad)[:length], len(changed) - 1]


def make_samples(tokenizer, rng, count):
    samples = []
    for _ in range(count):
        length, ids = rng.choice([1, 8, 64, 200]), []
        while len(ids) < length + 1:
            ids += [BOS] if rng.random() < 0.3 else []
            for _ in range(rng.randrange(0, 4)):
                ids += tokenizer.encode("".join(rng.choices(LINES, k=rng.randrange(0, 4))), add_special_tokens=False).ids
                ids += rng.choice([[], [FILE], [FILE, FILE], [OTHER]])
            ids += [EOD]
        at = rng.randrange(len(ids) - length)  # begins inside a document, and perhaps inside a character
        ids = ids[at:at + length + 1]
        valid = length if rng.random() < 0.9 else rng.randint(1, length)
        pad = [0] * (length - valid)
        samples.append([ids[:valid] + pad, ids[1:valid + 1] + pad, valid])
    return samples


OPTIONS = [{"rate": 0.5}, {"rate": 1}, {"rate": 0.9, "spm_rate": 0}, {"rate": 0.3, "spm_rate": 1},
           {"rate": 0.8, "split_sample": "<file>"}, {"rate": 1, "split_sample": "<file>", "fragment_rate": 1},
           {"rate": 1, "no_prefix": "def "}, {"rate": 0.7, "split_sample": "<file>", "fragment_rate": 0.2, "no_prefix": "x"}]


def test_samples_are_rearranged_as_described(tokenizer):
    made, folder = tokenizer
    rng = random.Random(7)
    requests = [{"do": "fim", "tokenizer": folder, "fim": options, "eod_id": EOD, "seed": rng.choice([0, 1234, 2**32 - 20]),
                 "samples": make_samples(made, rng, 60)} for options in OPTIONS]
    results = json.loads(run_tool("sample_tool", input=json.dumps(requests)).stdout)
    changed = 0
    for request, result in zip(requests, results, strict=True):
        assert "error" not in result, result
        for i, (sample, ours) in enumerate(zip(request["samples"], result, strict=True)):
            reference = Reference(made, request["fim"], (request["seed"] + i) % 2**32)
            assert ours == reference.sample(*sample), (request["fim"], i)
            changed += ours != sample
    assert changed > 200


def test_draws_are_numpys():
    rng = random.Random(3)
    requests, expected = [], []
    for seed in (0, 1, 1234, 2**32 - 1):
        numpys, draws, values = numpy.random.RandomState(seed), [], []
        for _ in range(5000):
            what = rng.choice(["bernoulli", "geometric", "choice"])
            if what == "bernoulli":
                p = rng.choice([0.0, 1.0, 0.5, 0.15, 0.85, rng.random()])
                values.append(int(numpys.binomial(1, p)))
            elif what == "geometric":
                p = rng.choice([0.2, 0.01, 0.33])
                values.append(int(numpys.geometric(p)))
            else:
                p = [1 / n for n in range(1, rng.randint(1, 12) + 1)]
                p = [w / sum(p) for w in p]
                values.append(int(numpys.choice(len(p), p=p)))
            draws.append([what, p])
        requests.append({"do": "draw", "seed": seed, "draws": draws})
        expected.append(values)
    assert json.loads(run_tool("sample_tool", input=json.dumps(requests)).stdout) == expected
