"""What Megatron-LM's preprocessing makes of JSON lines: python's json, the `tokenizers` library, megatron-core's builder.

Plainly written from the description of the format's tool, to compare with; also the other side of the benchmark:

    scripts/oracle-python tests/parity/prepare_reference.py --input FILE --tokenizer FOLDER --output-prefix PREFIX --workers N
"""

import argparse
import json
import multiprocessing
import pathlib
import sys
import time

from megatron.core.datasets.indexed_dataset import DType, IndexedDatasetBuilder
from nltk.tokenize.punkt import PunktLanguageVars, PunktSentenceTokenizer, PunktTokenizer
from tokenizers import Tokenizer

CHUNK = 32  # lines that a worker takes at a time


class Encoder:
    """One line of JSON to, for each key, its ids and the length of each sequence."""

    def __init__(self, tokenizer_folder, keys, append_eod, eod):
        self.folder, self.keys, self.append_eod, self.eod = tokenizer_folder, keys, append_eod, eod

    def start(self):
        Encoder.tokenizer = Tokenizer.from_file(str(pathlib.Path(self.folder) / "tokenizer.json"))

    def encode(self, line):
        value, result = json.loads(line), {}
        for key in self.keys:
            texts = value[key] if isinstance(value[key], list) else [value[key]]
            ids, lengths = [], []
            for text in texts:
                found = Encoder.tokenizer.encode(text).ids
                if found:
                    ids += found
                    lengths.append(len(found))
            if ids and self.append_eod:
                ids.append(self.eod)
                lengths[-1] += 1
            result[key] = (ids, lengths)
        return result, len(line)


class KeepNewlines(PunktLanguageVars):
    """Megatron's --keep-newlines: the spaces behind a sentence belong to it."""

    _period_context_fmt = r"""
        \S*                      # the word before
        %(SentEndChars)s         # a mark that may end a sentence
        \s*                      # the spaces are part of the match
        (?=(?P<after_tok>
            %(NonWord)s
            |
            (?P<next_tok>\S+)    # the next word, without spaces before it
        ))"""


def sentence_splitter(language="english", keep_newlines=False):
    splitter = PunktTokenizer(language)
    return PunktSentenceTokenizer(train_text=splitter._params, lang_vars=KeepNewlines()) if keep_newlines else splitter


def split_sentences(lines, keys, splitter, most=1_000_000):
    """The pass before tokenisation: lines with lists of sentences in place of texts. A list stays as it is."""
    for line in lines:
        texts = {key: value for key, value in json.loads(line).items() if key in keys}
        yield json.dumps({key: text if isinstance(text, list) else
                          [sentence for i in range(0, len(text), most) for sentence in splitter.tokenize(text[i:i + most])]
                          for key, text in texts.items()})


def write(results, keys, prefix, vocab_size, progress=None, level="document"):
    builders = {key: IndexedDatasetBuilder(f"{prefix}_{key}_{level}.bin", dtype=DType.optimal_dtype(vocab_size)) for key in keys}
    for documents, (result, _) in enumerate(results, 1):
        for key, (ids, lengths) in result.items():
            builders[key].add_document(ids, lengths)
        if progress and documents % 1000 == 0:
            progress(documents)
    for key in keys:
        builders[key].finalize(f"{prefix}_{key}_{level}.idx")


def preprocess(lines, tokenizer_folder, keys, prefix, append_eod, eod, workers=1, splitter=None):
    level = "document"
    if splitter:
        lines, level = split_sentences(lines, keys, splitter), "sentence"
    encoder = Encoder(tokenizer_folder, keys, append_eod, eod)
    encoder.start()
    vocab_size = Encoder.tokenizer.get_vocab_size(with_added_tokens=True)
    if workers == 1:
        return write(map(encoder.encode, lines), keys, prefix, vocab_size, level=level)
    with multiprocessing.Pool(workers, initializer=encoder.start) as pool:
        write(pool.imap(encoder.encode, lines, CHUNK), keys, prefix, vocab_size,
              lambda n: print(f"Processed {n} documents", file=sys.stderr), level)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--input", required=True)
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--output-prefix", required=True)
    parser.add_argument("--json-keys", default="text")
    parser.add_argument("--eod", type=int)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    start = time.perf_counter()
    with open(options.input, encoding="utf-8") as lines:
        preprocess(lines, options.tokenizer, options.json_keys.split(","), options.output_prefix, options.eod is not None,
                   options.eod, options.workers)
    print(json.dumps({"seconds": time.perf_counter() - start}))


if __name__ == "__main__":
    main()
