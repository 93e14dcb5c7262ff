"""Tokenizers of public models that aren't BPE over bytes or characters: WordPiece, Unigram, WordLevel; and BPE with
affixes. Trained here, as those in tokenizer_kinds.py."""

import io
import json

import sentencepiece
from tokenizer_kinds import corpus
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers


def bert(lowercase, strip_accents=None, clean=True, chinese=True, prefix="##", longest=100):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=longest))
    tokenizer.normalizer = normalizers.BertNormalizer(
        clean_text=clean, handle_chinese_chars=chinese, strip_accents=strip_accents, lowercase=lowercase
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix=prefix)
    trainer = trainers.WordPieceTrainer(
        vocab_size=1200,
        limit_alphabet=300,
        special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
        continuing_subword_prefix=prefix,
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus(), trainer)
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return tokenizer


_charsmaps = {}


def charsmap(rules):
    """The table of replacements that sentencepiece has under this name."""
    if rules not in _charsmaps:
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(["a b c d e f g"] * 50),
            model_writer=model,
            vocab_size=12,
            hard_vocab_limit=False,
            normalization_rule_name=rules,
            minloglevel=2,
        )
        _charsmaps[rules] = normalizer_of(model.getvalue())
    return _charsmaps[rules]


def fields(data):
    """The fields of a protobuf message: (number, value), bytes for those with a length."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        key = varint()
        kind = key & 7
        if kind == 0:
            value = varint()
        elif kind == 2:
            length = varint()
            value, at = data[at : at + length], at + length
        else:
            length = 8 if kind == 1 else 4
            value, at = data[at : at + length], at + length
        yield key >> 3, value


def normalizer_of(model):
    """ModelProto.normalizer_spec.precompiled_charsmap"""
    spec = next(value for number, value in fields(model) if number == 3)
    return next(value for number, value in fields(spec) if number == 2)


def unigram(normalizer, pre_tokenizer, unknown="<unk>", byte_fallback=False, size=1500):
    specials = ["<pad>", "</s>", "<unk>", *(f"<0x{b:02X}>" for b in range(256) if byte_fallback)]
    trained = Tokenizer(models.Unigram())
    trained.normalizer = normalizer
    trained.pre_tokenizer = pre_tokenizer
    trainer = trainers.UnigramTrainer(vocab_size=size, special_tokens=specials, unk_token="<unk>", show_progress=False)
    lines = (line for i, line in enumerate(corpus()) if i % 5)  # so that some characters are unknown
    trained.train_from_iterator((line for line in lines if "\u00df" not in line), trainer)
    state = json.loads(trained.to_str())
    if byte_fallback:
        state["model"]["byte_fallback"] = True
    if unknown is None:
        state["model"]["unk_id"] = None
    tokenizer = Tokenizer.from_str(json.dumps(state))
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return tokenizer


def t5():
    return unigram(normalizers.Precompiled(charsmap("nmt_nfkc")), pre_tokenizers.Metaspace(prepend_scheme="always"))


def t5_v2():
    """As transformers converts newer models: spaces squeezed by a regular expression."""
    return unigram(
        normalizers.Sequence(
            [normalizers.Precompiled(charsmap("nmt_nfkc_cf")), normalizers.Replace(Regex(" {2,}"), "▁")]
        ),
        pre_tokenizers.Metaspace(prepend_scheme="first"),
    )


def albert():
    return unigram(
        normalizers.Sequence(
            [
                normalizers.Replace("``", '"'),
                normalizers.Replace("''", '"'),
                normalizers.NFKD(),
                normalizers.StripAccents(),
                normalizers.Lowercase(),
                normalizers.Precompiled(charsmap("nfkc")),
                normalizers.Replace(Regex(" {2,}"), " "),
            ]
        ),
        pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]),
    )


def unigram_bytes():
    tokenizer = unigram(normalizers.Nmt(), pre_tokenizers.Metaspace(split=False), byte_fallback=True)
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return tokenizer


def word_level():
    tokenizer = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Nmt()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.UnicodeScripts()])
    trainer = trainers.WordLevelTrainer(vocab_size=800, special_tokens=["[UNK]"], show_progress=False)
    tokenizer.train_from_iterator(corpus(), trainer)
    tokenizer.decoder = decoders.CTC(pad_token="[UNK]", word_delimiter_token="e", cleanup=True)
    return tokenizer


def affixes(prefix, suffix, **options):
    """GPT-1 and CLIP: characters, with a suffix at the end of words (and, as nobody does, a prefix inside of them)."""

    def make():
        tokenizer = Tokenizer(
            models.BPE(unk_token="<unk>", continuing_subword_prefix=prefix, end_of_word_suffix=suffix, **options)
        )
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer = trainers.BpeTrainer(
            vocab_size=1500,
            limit_alphabet=200,
            special_tokens=["<unk>"],
            continuing_subword_prefix=prefix,
            end_of_word_suffix=suffix,
            show_progress=False,
        )
        tokenizer.train_from_iterator(corpus(), trainer)
        tokenizer.decoder = decoders.BPEDecoder(suffix=suffix or "</w>")
        return tokenizer

    return make


def clip():
    tokenizer = Tokenizer(models.BPE(unk_token="<|endoftext|>", end_of_word_suffix="</w>", continuing_subword_prefix=""))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(
                Regex(r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"),
                "removed",
                invert=True,
            ),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=1500,
        initial_alphabet=alphabet,
        end_of_word_suffix="</w>",
        special_tokens=["<|startoftext|>", "<|endoftext|>"],
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus(), trainer)
    tokenizer.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Replace("</w>", " ")])
    tokenizer.post_processor = processors.RobertaProcessing(
        ("<|endoftext|>", 1), ("<|startoftext|>", 0), add_prefix_space=False, trim_offsets=False
    )
    return tokenizer


OTHER_KINDS = {
    "bert_uncased": lambda: bert(lowercase=True),
    "bert_cased": lambda: bert(lowercase=False),
    "bert_odd": lambda: bert(
        lowercase=False, strip_accents=True, clean=False, chinese=False, prefix="@", longest=7
    ),
    "t5": t5,
    "t5_v2": t5_v2,
    "albert": albert,
    "unigram_bytes": unigram_bytes,
    "word_level": word_level,
    "gpt1": affixes("", "</w>"),
    "affixes": affixes("++", "--", fuse_unk=True),
    "clip": clip,
}
