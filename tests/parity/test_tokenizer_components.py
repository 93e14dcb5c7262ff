"""Each normalizer and pre-tokenizer by itself, made visible: the model below has one token a byte and no merges, so
ids spell the text out; before that, Metaspace marks where each piece begins."""

import itertools
import json
import unicodedata

import pytest
from test_tokenizer import check, run
from tokenizer_kinds import LLAMA3, O200K, QWEN, fuzz
from tokenizer_other_models import charsmap
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

CL100K = (
    r"(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
)
DEEPSEEK = (
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
    r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def spelling(mark_pieces):
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: i for i, letter in enumerate(alphabet)}, merges=[]))
    tokenizer.decoder = decoders.ByteLevel()
    steps = [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    if mark_pieces:
        steps.insert(0, pre_tokenizers.Metaspace(replacement="▂", prepend_scheme="always", split=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps)
    return tokenizer


def save(tokenizer, folder):
    path = folder / "tokenizer.json"
    tokenizer.save(str(path))
    return path


def every_character():
    """The characters of Unicode 3.2 (the sides' Unicode versions differ, and are newer), of Han and Hangul one in 50;
    in pieces of 64, each once alone and once behind an a."""
    known = [c for c in map(chr, range(0x110000)) if unicodedata.ucd_3_2_0.category(c) not in ("Cn", "Cs", "Co")]
    known = [c for c in known if unicodedata.name(c, "")[:3] not in ("CJK", "HAN") or ord(c) % 50 == 0]
    for begin in range(0, len(known), 64):
        part = known[begin : begin + 64]
        yield "".join(part)
        yield "".join("a" + c for c in part)


NORMALIZERS = {
    "nfc": normalizers.NFC(),
    "nfd": normalizers.NFD(),
    "nfkc": normalizers.NFKC(),
    "nfkd": normalizers.NFKD(),
    "lowercase": normalizers.Lowercase(),
    "strip_accents": normalizers.StripAccents(),
    "strip": normalizers.Strip(),
    "strip_left": normalizers.Strip(left=True, right=False),
    "strip_right": normalizers.Strip(left=False, right=True),
    "prepend": normalizers.Prepend("x"),
    "replace": normalizers.Replace("a", "bc"),
    "remove": normalizers.Replace("a", ""),
    "replace_regex": normalizers.Replace(Regex(r"\s{2,}|\d+"), " "),
    "bert": normalizers.BertNormalizer(),
    "bert_clean": normalizers.BertNormalizer(True, False, False, False),
    "bert_chinese": normalizers.BertNormalizer(False, True, False, False),
    "bert_accents": normalizers.BertNormalizer(False, False, True, False),
    "nmt": normalizers.Nmt(),
    **{rules: normalizers.Precompiled(charsmap(rules)) for rules in ("nmt_nfkc", "nfkc", "nmt_nfkc_cf", "nfkc_cf")},
    "sequence": normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase()]),
}


@pytest.mark.parametrize("name", NORMALIZERS)
def test_normalizer(name, tmp_path):
    tokenizer = spelling(mark_pieces=False)
    tokenizer.normalizer = NORMALIZERS[name]
    texts = [*fuzz(seed=3, characters=10_000), *every_character()]
    check(tokenizer, save(tokenizer, tmp_path), texts)


def test_clusters_in_a_precompiled_table(tmp_path):
    """What counts as one character there: combining marks, flags, joiners, prefixes, Hangul, \\r\\n."""
    parts = ["\r", "\n", "e", "\u0301", "\u0600", "1", "\u00a9", "\u200d", "\u00ae", "\ufe0f", "\u1100", "\u1161", "\u11a8"]
    parts += ["\U0001f1e6", "\U0001f1e7", "\u0903", "\ufb01", "\u2460", "\u00e9", "\u0340", "\u3000", "\u00bd", "\u0e33", "\x00"]
    tokenizer = spelling(mark_pieces=False)
    tokenizer.normalizer = normalizers.Precompiled(charsmap("nmt_nfkc"))
    texts = ["".join(c) for length in (1, 2, 3) for c in itertools.product(parts, repeat=length)]
    check(tokenizer, save(tokenizer, tmp_path), texts)


def test_byte_level_normalizer(tmp_path):
    tokenizer = spelling(mark_pieces=False)
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.ByteLevel()])
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("Ġ|Ċ"), "merged_with_next")
    check(tokenizer, save(tokenizer, tmp_path), [*fuzz(seed=6, characters=10_000), *every_character()])


def test_metaspace_first_after_a_normalizer(tmp_path):
    """`first` means the first character of the input: not what comes to stand there when the front is cut off."""
    for normalizer in (
        *(normalizers.Strip(), normalizers.Replace("a", ""), normalizers.Prepend("x"), normalizers.NFKD()),
        *(normalizers.BertNormalizer(), normalizers.Nmt(), normalizers.StripAccents()),
    ):
        tokenizer = spelling(mark_pieces=False)
        tokenizer.normalizer = normalizer
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.WhitespaceSplit(),
                pre_tokenizers.Metaspace(prepend_scheme="first"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
        texts = ["abc", " abc", "  abc def", "aabc", "ba c", "é é", "", " ", "\x01abc", "\u0301abc", "\n中"]
        check(tokenizer, save(tokenizer, tmp_path), texts)


BEHAVIORS = ["removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"]
PATTERNS = {
    "llama3": Regex(LLAMA3),
    "qwen": Regex(QWEN),
    "o200k": Regex(O200K),
    "cl100k": Regex(CL100K),
    "deepseek": Regex(DEEPSEEK),
    "cjk": Regex("[一-龥぀-ゟ゠-ヿ]+"),
    "digits": Regex(r"\p{N}{1,3}"),
    "literal": "a",
    "words": Regex(r"\w+|[^\w\s]+"),
    "borders": Regex(r"\b"),
    "no_borders": Regex(r"\B."),
    "may_be_empty": Regex("x*"),
    "lines": Regex(r"^.|.$"),
    "dot_all": Regex(r"(?m:a.)"),
    "hex": Regex(r"\h+\d\D\S"),
    "lookbehind": Regex(r"(?<=[a-z])(?=[A-Z])|\u00e9"),
}
PRE_TOKENIZERS = {
    "byte_level": pre_tokenizers.ByteLevel(add_prefix_space=False),
    "byte_level_prefix": pre_tokenizers.ByteLevel(add_prefix_space=True),
    "metaspace": pre_tokenizers.Metaspace(),
    "digits": pre_tokenizers.Digits(individual_digits=False),
    "single_digits": pre_tokenizers.Digits(individual_digits=True),
    "bert": pre_tokenizers.BertPreTokenizer(),
    "delimiter": pre_tokenizers.CharDelimiterSplit("é"),
    "fixed_length": pre_tokenizers.FixedLength(3),
    "scripts": pre_tokenizers.UnicodeScripts(),
    "whitespace": pre_tokenizers.Whitespace(),
    "whitespace_split": pre_tokenizers.WhitespaceSplit(),
    **{f"punctuation_{b}": pre_tokenizers.Punctuation(b) for b in BEHAVIORS},
    **{f"split_{name}": pre_tokenizers.Split(p, "isolated") for name, p in PATTERNS.items()},
    **{f"split_{b}": pre_tokenizers.Split(Regex(r"\s"), b) for b in BEHAVIORS},
    **{f"split_inverted_{b}": pre_tokenizers.Split(Regex(r"\p{L}|\d+"), b, invert=True) for b in BEHAVIORS},
}


@pytest.mark.parametrize("name", PRE_TOKENIZERS)
def test_pre_tokenizer(name, tmp_path):
    tokenizer = spelling(mark_pieces=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([PRE_TOKENIZERS[name], *tokenizer.pre_tokenizer])
    check(tokenizer, save(tokenizer, tmp_path), [*fuzz(seed=4, characters=10_000), *every_character()])


def reference_survives(tokenizer, text):
    """The reference panics where tokens that take white space along overlap."""
    try:
        tokenizer.encode(text)
        return True
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        return False


def test_added_tokens(tmp_path):
    """All flags, tokens inside of tokens, tokens that touch, and a normalizer that changes the tokens themselves."""
    flags = [
        dict(zip(("lstrip", "rstrip", "single_word", "normalized", "special"), map(bool, bits)))
        for bits in ((b & 1, b & 2, b & 4, b & 8, b & 16) for b in range(32))
    ]
    contents = ["AB", "ABC", "bcd", "<x>", "<xy>", " ", "é", "中文", "'s", "-"]
    for shift in range(0, 32, 5):
        tokenizer = spelling(mark_pieces=True)
        tokenizer.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.Lowercase()])
        tokens = [AddedToken(c, **flags[(shift + 7 * i) % 32]) for i, c in enumerate(contents)]
        tokenizer.add_tokens(tokens)
        texts = ["ABCD bcd<x><xy>", " AB  ABC   abc ", "é中文's-", "xAB ABx 'sAB", "  <x>  <xy>  ", "a-b - c", "É E\u0301"]
        texts += ["".join(f"{c}{' ' * (i % 3)}" for i, c in enumerate(contents * 3))]
        texts = [text for text in texts + list(fuzz(seed=shift, characters=2_000)) if reference_survives(tokenizer, text)]
        assert len(texts) > 50
        check(tokenizer, save(tokenizer, tmp_path), texts)


def test_decoders(tmp_path):
    """Chains whose parts meet tokens, pieces of characters and each other in unusual order."""
    chains = [
        None,
        decoders.ByteLevel(),
        decoders.Metaspace(prepend_scheme="first"),
        decoders.Metaspace(prepend_scheme="never"),
        decoders.Sequence([decoders.ByteLevel(), decoders.Strip("a", 2, 0)]),
        decoders.Sequence([decoders.Fuse(), decoders.Strip("a", 1, 0), decoders.Replace("b", "\u00e9")]),
        decoders.Sequence([decoders.Replace(Regex("[a-c]"), "x"), decoders.ByteFallback()]),
        decoders.Sequence([decoders.Fuse(), decoders.Metaspace(replacement="b")]),
        decoders.WordPiece(),
        decoders.WordPiece(prefix="a", cleanup=False),
        decoders.WordPiece(prefix=""),
        decoders.BPEDecoder(suffix="a"),
        decoders.BPEDecoder(suffix=""),
        decoders.CTC(pad_token="b", word_delimiter_token="a"),
        decoders.CTC(pad_token="<0x41>", word_delimiter_token="a", cleanup=False),
        decoders.Sequence([decoders.Fuse(), decoders.WordPiece(prefix="a")]),
        decoders.Sequence([decoders.WordPiece(prefix="a"), decoders.ByteFallback(), decoders.BPEDecoder("b")]),
    ]
    for chain in chains:
        tokenizer = spelling(mark_pieces=False)
        tokenizer.add_tokens(["<0xE4>", "<0xB8>", "<0xAD>", "<0x41>", AddedToken("中", special=True)])
        tokenizer.decoder = chain
        texts = ["do not . ? ! , ' n't 'm 's 've 're", "x .", "aa ' bb", "##a"]
        texts += ["aaab", "abba", "<0xE4><0xB8><0xAD>a<0x41>", "<0xE4>b", "中<0xE4><0xB8>", "a中a", "", "é", "caab"]
        check(tokenizer, save(tokenizer, tmp_path), texts)


def test_half_characters(tmp_path):
    """Ids that end inside of a character, or begin there."""
    tokenizer = spelling(mark_pieces=False)
    parts = []
    for text in ("é中😀", "a\u0301"):
        ids = tokenizer.encode(text).ids
        parts += [ids[begin:end] for begin in range(len(ids)) for end in range(begin, len(ids) + 1)]
    for answer, text in zip(run(save(tokenizer, tmp_path), parts, "--decode"), tokenizer.decode_batch(parts)):
        assert answer["decoded"] == answer["streamed"] == text


def test_invalid_utf8_is_replaced(tmp_path):
    tokenizer = spelling(mark_pieces=False)
    texts = [b"\xff", b"a\xe4\xb8", b"\xe4\xb8a", b"\xf0\x9f\x98\xe4\xb8\xad", b"\xed\xa0\x80", b"\xc0\xaf\xf5", b"\x80\x80"]
    for answer, text in zip(run(save(tokenizer, tmp_path), [list(text) for text in texts], "--bytes"), texts):
        assert answer["ids"] == tokenizer.encode(text.decode("utf-8", errors="replace")).ids


def test_older_spellings(tmp_path):
    """Merges as strings, no model type, no use_regex, add_prefix_space for prepend_scheme."""
    from tokenizer_kinds import gpt2, metaspace

    for make in (gpt2, metaspace("always", True)):
        tokenizer = make()
        state = json.loads(tokenizer.to_str())
        state["model"]["merges"] = [" ".join(merge) for merge in state["model"]["merges"]]
        state["model"].pop("type")
        state["pre_tokenizer"].pop("use_regex", None)
        if state["pre_tokenizer"].pop("prepend_scheme", None):
            state["pre_tokenizer"]["add_prefix_space"] = True
        path = tmp_path / "tokenizer.json"
        path.write_text(json.dumps(state))
        check(tokenizer, path, list(fuzz(seed=5, characters=20_000)))
