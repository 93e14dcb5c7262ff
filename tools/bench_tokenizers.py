"""Measures tokenizers: ours against the `tokenizers` library, on the same text and with the same number of threads.

    scripts/oracle-python tools/bench_tokenizers.py [--megabytes 30] [--text FILE] [--json FILE]

Trains a tokenizer of each kind on the text itself, and prints a table of MB/s (and writes it as JSON).
"""

import argparse
import itertools
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile


ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "parity"))

import tokenizer_kinds  # noqa: E402
import tokenizer_other_models  # noqa: E402
from tokenizers import (  # noqa: E402
    Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers,
)

GOALS = {"gpt2": 4.0, "llama3": 4.0}  # times as fast as the library, at least; 2 for all others


def synthetic(megabytes, seed=0):
    """English-like documents: words drawn by Zipf's law from 60,000 made-up ones, numbers, punctuation, some Unicode."""
    rng = random.Random(seed)
    syllables = [c + v + e for c in "b c d f g h l m n p r s t v w st tr ch th".split() for v in "aeiou" for e in ("", "n", "r", "s", "t")]
    words = ["".join(rng.choices(syllables, k=rng.choice((1, 1, 2, 2, 2, 3, 3, 4)))) for _ in range(60_000)]
    words[:200] = tokenizer_kinds.WORDS[:200]
    weights = list(itertools.accumulate(1 / (i + 2) for i in range(len(words))))
    foreign = ["".join(rng.choices(letters, k=rng.randint(2, 8))) for letters in tokenizer_kinds.SCRIPTS.values() for _ in range(50)]
    size = 0
    while size < megabytes * 1e6:
        sentences = []
        for _ in range(rng.randint(5, 60)):
            chosen = rng.choices(words, cum_weights=weights, k=rng.randint(4, 25))
            chosen[0] = chosen[0].capitalize()
            if rng.random() < 0.15:
                chosen.append(str(rng.randint(0, 10 ** rng.randint(1, 6))))
            if rng.random() < 0.05:
                chosen.append(rng.choice(foreign))
            sentences.append(" ".join(chosen) + rng.choice(". . . . ? ! , ; :".split()))
        text = rng.choice((" ", " ", "\n")).join(sentences)
        size += len(text.encode())
        yield text


def trained(tokenizer, trainer, texts):
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def byte_level(pre_tokenizer, texts, size, ignore_merges=False, normalizer=None):
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=size, show_progress=False, special_tokens=["<|endoftext|>"],
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    return trained(tokenizer, trainer, texts)


def sentence_piece(texts, size, metaspace=None):
    """`metaspace`: None for the older way, a normalizer."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    if metaspace:
        tokenizer.pre_tokenizer = metaspace
    else:
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    specials = ["<unk>", "<s>", "</s>", *(f"<0x{b:02X}>" for b in range(256))]
    learner = Tokenizer(models.BPE(unk_token="<unk>"))
    learner.pre_tokenizer = pre_tokenizers.Metaspace(split=True)
    trainer = trainers.BpeTrainer(vocab_size=size, limit_alphabet=1000, show_progress=False, special_tokens=specials)
    state = json.loads(trained(learner, trainer, texts).to_str())
    whole = json.loads(tokenizer.to_str())
    whole["model"]["vocab"], whole["model"]["merges"] = state["model"]["vocab"], state["model"]["merges"]
    return Tokenizer.from_str(json.dumps(whole))


def t5(texts, size):
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Precompiled(tokenizer_other_models.charsmap("nmt_nfkc"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    trainer = trainers.UnigramTrainer(vocab_size=size, show_progress=False, unk_token="<unk>", special_tokens=["<pad>", "</s>", "<unk>"])
    trained(tokenizer, trainer, texts)
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return tokenizer


def bert(texts, size, lowercase):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=size, show_progress=False, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
    trained(tokenizer, trainer, texts)
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return tokenizer


KINDS = {
    "gpt2": lambda texts: byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False), texts, 30_000),
    "llama3": lambda texts: byte_level(tokenizer_kinds.split_then_bytes(tokenizer_kinds.LLAMA3), texts, 30_000, True),
    "qwen2": lambda texts: byte_level(tokenizer_kinds.split_then_bytes(tokenizer_kinds.QWEN), texts, 30_000, normalizer=normalizers.NFC()),
    "falcon": lambda texts: byte_level(tokenizer_kinds.falcon().pre_tokenizer, texts, 30_000),
    "nemotron": lambda texts: byte_level(tokenizer_kinds.nemotron().pre_tokenizer, texts, 30_000),
    "o200k": lambda texts: byte_level(tokenizer_kinds.split_then_bytes(tokenizer_kinds.O200K), texts, 30_000),
    "llama2": lambda texts: sentence_piece(texts, 16_000),
    "mistral": lambda texts: sentence_piece(texts, 16_000, pre_tokenizers.Metaspace(prepend_scheme="first", split=False)),
    "t5": lambda texts: t5(texts, 16_000),
    "bert_uncased": lambda texts: bert(texts, 16_000, True),
    "bert_cased": lambda texts: bert(texts, 16_000, False),
}


def measure_ours(tool, path, text_file, threads):
    done = subprocess.run([tool, path, "--speed", text_file, str(threads)], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def measure_library(path, text_file, threads):
    """In a process of its own, because the number of threads is read once."""
    code = (
        "import json, sys, time\nfrom tokenizers import Tokenizer\n"
        "tokenizer = Tokenizer.from_file(sys.argv[1])\n"
        "texts = [json.loads(line)['text'] for line in open(sys.argv[2], encoding='utf-8')]\n"
        "best = 1e9\n"
        "for _ in range(3):\n"
        "    start = time.perf_counter()\n"
        "    tokens = sum(len(e) for e in tokenizer.encode_batch_fast(texts))\n"
        "    best = min(best, time.perf_counter() - start)\n"
        "print(json.dumps({'tokens': tokens, 'mb_per_s': sum(len(t.encode()) for t in texts) / best / 1e6}))\n"
    )
    environment = os.environ | {"RAYON_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "true"}
    done = subprocess.run([sys.executable, "-c", code, path, text_file], check=True, capture_output=True, text=True, env=environment)
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--megabytes", type=float, default=20, help="of made-up text")
    parser.add_argument("--text", help="JSON lines with texts to use instead")
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--threads", nargs="*", type=int, default=[1, 2])
    parser.add_argument("--tool", default=str(ROOT / "build" / "bin" / "tokenizer_tool"))
    parser.add_argument("--json", help="file for the results")
    options = parser.parse_args()

    if options.text:
        texts = [json.loads(line)["text"] for line in open(options.text, encoding="utf-8")]
    else:
        texts = list(synthetic(options.megabytes))
    results = []
    print(f"{'kind':<14} threads {'ours MB/s':>10} {'tokenizers':>11} {'times':>6}  goal", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        text_file = os.path.join(folder, "texts.jsonl")
        with open(text_file, "w", encoding="utf-8") as file:
            file.writelines(json.dumps({"text": text}) + "\n" for text in texts)
        for kind in options.kinds:
            path = os.path.join(folder, kind + ".json")
            KINDS[kind](texts[: len(texts) // 3]).save(path)
            for threads in options.threads:
                ours = measure_ours(options.tool, path, text_file, threads)
                theirs = measure_library(path, text_file, threads)
                if ours["tokens"] != theirs["tokens"]:
                    sys.exit(f"{kind}: {ours['tokens']} tokens against {theirs['tokens']}: not the same work")
                ratio = ours["mb_per_s"] / theirs["mb_per_s"]
                goal = GOALS.get(kind, 2.0)
                results.append({"kind": kind, "threads": threads, "longhaul_mb_per_s": ours["mb_per_s"],
                                "tokenizers_mb_per_s": theirs["mb_per_s"], "ratio": ratio, "goal": goal})
                print(f"{kind:<14} {threads:>7} {ours['mb_per_s']:>10.1f} {theirs['mb_per_s']:>11.1f} {ratio:>6.1f}"
                      f"  {goal:.0f} {'met' if ratio >= goal else 'MISSED'}", flush=True)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps({"bytes": sum(len(t.encode()) for t in texts), "results": results}, indent=2) + "\n")


if __name__ == "__main__":
    main()
