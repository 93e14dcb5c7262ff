"""Wild JSON lines for the tests of `prepare`, a tokenizer for them, and files packed in all ways that are read."""

import ctypes
import gzip
import json
import random

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

LETTERS = ("etaoin shrdlu  \n\t.,'\"\\/0123456789{}[]" + "éüßñ" + "東京日本語" + "Ελλάδα" + "שלום" + "😀🚀👩‍🚀𝕏" + "\u0000\u0001\u001f\u007f\u2028\ufeff\ufffd")


def text(rng, most=400):
    return "".join(rng.choices(LETTERS, k=rng.choice([0, 1, 3, rng.randrange(most)])))


def line(rng, long=False):
    """One object with "text" and "title" among other things, as strangely written as JSON allows."""
    value = text(rng, 600_000 if long else 400)
    record = {"id": rng.choice([1, -0.0, 1e300, 10**40, float("nan"), float("-inf"), None, True]),
              "meta": {"text": "no", "deep": [[], {}, [{"text": ["no"]}], text(rng, 30)]},
              "text": [text(rng), "", text(rng)] if rng.random() < 0.2 else [] if rng.random() < 0.05 else value,
              "title": text(rng, 40)}
    items = list(record.items())
    rng.shuffle(items)
    if rng.random() < 0.1:  # of a key that stands twice the last counts
        items.insert(0, (rng.choice(["text", "title"]), rng.choice([5, None, "earlier", ["earlier", 1]])))
    ascii_only = rng.random() < 0.5
    blank = lambda: rng.choice(["", "", " ", "\t "])  # noqa: E731
    parts = []
    for key, item in items:
        name = '"te\\u0078t"' if key == "text" and rng.random() < 0.1 else json.dumps(key)
        parts.append(f"{blank()}{name}{blank()}:{blank()}{json.dumps(item, ensure_ascii=ascii_only)}{blank()}")
    return f"{blank()}{{{','.join(parts)}}}{blank()}"


def corpus(seed, lines=1500, long=2):
    """Bytes of JSON lines: mixed line ends, some lines longer than any buffer, the last one without an end."""
    rng = random.Random(seed)
    all_lines = [line(rng) for _ in range(lines)]
    for _ in range(long):
        all_lines.insert(rng.randrange(len(all_lines)), line(rng, long=True))
    ends = ["\r\n" if rng.random() < 0.2 else "\n" for _ in all_lines]
    ends[-1] = ""
    return "".join(a + b for a, b in zip(all_lines, ends, strict=True)).encode()


def byte_tokenizer(folder, merges=300, bos=False):
    """Byte-level BPE; every text has ids from which it can be told."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    rng = random.Random(1)
    trainer = trainers.BpeTrainer(vocab_size=258 + merges, special_tokens=["<|end|>", "<|begin|>"], show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator([text(rng) for _ in range(300)], trainer)
    if bos:
        tokenizer.post_processor = processors.TemplateProcessing(single="<|begin|> $A", special_tokens=[("<|begin|>", 1)])
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|end|>"}))
    return tokenizer


def zstd(data):
    library = ctypes.CDLL("libzstd.so.1")
    library.ZSTD_compressBound.restype = library.ZSTD_compress.restype = ctypes.c_size_t
    library.ZSTD_compressBound.argtypes = [ctypes.c_size_t]
    library.ZSTD_compress.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int]
    out = ctypes.create_string_buffer(library.ZSTD_compressBound(len(data)))
    size = library.ZSTD_compress(out, len(out), data, len(data), 3)
    return out.raw[:size]


def pieces(data, count):
    step = len(data) // count + 1
    return [data[i:i + step] for i in range(0, len(data), step)]


PACKINGS = {
    "jsonl": lambda data: data,
    "jsonl.gz": gzip.compress,
    "json.gz": lambda data: b"".join(map(gzip.compress, pieces(data, 5))) + bytes(512),  # members, then padding
    "ndjson.zst": zstd,
    "jsonl.zst": lambda data: b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc" + b"".join(map(zstd, pieces(data, 4))),  # a skippable frame first
}
