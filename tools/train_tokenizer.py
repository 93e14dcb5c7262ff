"""Trains the shipped checkpoint's tokenizer: byte-level BPE with the `tokenizers` library, saved as a Hugging Face folder.

    scripts/oracle-python tools/train_tokenizer.py OUT_DIR --vocab-size 4096 TEXT.jsonl [MORE_TEXT_FILES …]
"""

import argparse
import json
import pathlib

import tokenizers
from tokenizers import decoders, models, pre_tokenizers, processors, trainers

END_OF_TEXT = "<|endoftext|>"


def texts(paths):
    for path in paths:
        if path.endswith(".jsonl"):
            with open(path, encoding="utf-8") as lines:
                yield from (json.loads(line)["text"] for line in lines)
        else:
            yield pathlib.Path(path).read_text(encoding="utf-8", errors="ignore")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("output")
    parser.add_argument("inputs", nargs="+")
    parser.add_argument("--vocab-size", type=int, default=4096)
    arguments = parser.parse_args()
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(vocab_size=arguments.vocab_size, special_tokens=[END_OF_TEXT], show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(texts(arguments.inputs), trainer)
    output = pathlib.Path(arguments.output)
    output.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(output / "tokenizer.json"))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": END_OF_TEXT, "eos_token": END_OF_TEXT,
              "unk_token": END_OF_TEXT, "clean_up_tokenization_spaces": False, "model_max_length": 512}
    (output / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")


if __name__ == "__main__":
    main()
