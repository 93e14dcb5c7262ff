"""Writes src/data/tokenizer/unicode_classes.inc: the character classes that tokenizers cut text by.

The classes are read off the reference library itself (`tokenizers`), code point by code point, so that they follow
the Unicode versions it was built with (its regular expressions, its \\w and its punctuation differ in version).

    python tools/make_unicode_classes.py > src/data/tokenizer/unicode_classes.inc
"""

import unicodedata

from tokenizers import Regex, normalizers, pre_tokenizers

CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
TEXT = "".join(map(chr, CODE_POINTS))


def kept(pre_tokenizer):
    """The characters that survive a pre-tokenizer that removes what it matches."""
    return {ord(c) for piece, _ in pre_tokenizer.pre_tokenize_str(TEXT) for c in piece}


def matched(pattern):
    return set(CODE_POINTS) - kept(pre_tokenizers.Split(Regex(pattern), "removed"))


def nfc_inert():
    """Starters that NFC leaves alone and that never compose with what stands before them."""
    second = {0x1161 + i for i in range(21)} | {0x11A8 + i for i in range(27)}
    for c in CODE_POINTS:
        parts = unicodedata.decomposition(chr(c)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            second.add(int(parts[1], 16))
    return {
        c
        for c in CODE_POINTS
        if c not in second
        and unicodedata.combining(chr(c)) == 0
        and unicodedata.category(chr(c)) != "Cn"
        and unicodedata.normalize("NFC", chr(c)) == chr(c)
    }


def main():
    letter, number, space = matched(r"\p{L}"), matched(r"\p{N}"), matched(r"\s")
    assert space == set(CODE_POINTS) - kept(pre_tokenizers.WhitespaceSplit())
    # Whitespace keeps runs of \w and runs of what is neither \w nor space: one sandwich a character tells which.
    sandwich = pre_tokenizers.Whitespace()
    word = set()
    for begin in range(0, len(CODE_POINTS), 4096):
        part = CODE_POINTS[begin : begin + 4096]
        text = " ".join("a" + chr(c) for c in part if c not in space)
        for piece, _ in sandwich.pre_tokenize_str(text):
            if len(piece) == 2 and piece[0] == "a":
                word.add(ord(piece[1]))
    digits = pre_tokenizers.Digits(individual_digits=True)
    numeric = set()
    for begin in range(0, len(CODE_POINTS), 4096):
        part = [c for c in CODE_POINTS[begin : begin + 4096]]
        pieces = {p for p, _ in digits.pre_tokenize_str("".join("ab" + chr(c) for c in part)) if len(p) == 1}
        numeric |= {ord(p) for p in pieces}
    punctuation = set(CODE_POINTS) - kept(pre_tokenizers.Punctuation("removed"))
    survivors = set(map(ord, normalizers.StripAccents().normalize_str(TEXT)))
    mark = set(CODE_POINTS) - survivors
    classes = [letter, number, space, word, numeric, punctuation, mark, nfc_inert()]

    ranges = []
    previous = None
    for c in range(0x110000):
        bits = sum(1 << i for i, members in enumerate(classes) if c in members)
        if bits != previous:
            ranges.append((c, bits))
            previous = bits
    print("// Written by tools/make_unicode_classes.py: {first code point, class bits} of each run of equal classes.")
    line = ""
    for c, bits in ranges:
        item = f"{{0x{c:X},{bits}}},"
        if len(line) + len(item) > 118:
            print(line)
            line = ""
        line += item
    print(line)


main()
