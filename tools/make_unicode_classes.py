"""Writes the tables of characters that tokenizers cut and clean text by:

    src/data/tokenizer/unicode_classes.inc   letters, spaces, words, punctuation, …, as bits
    src/data/tokenizer/bert_classes.inc      what BERT's normalizer removes, as bits
    src/data/tokenizer/unicode_scripts.inc   the script of each character, as a number; 0: any

They are read off the reference library itself (`tokenizers`), code point by code point, so that they follow the
Unicode versions it was built with (its regular expressions, its \\w and its punctuation differ in version).

    python tools/make_unicode_classes.py src/data/tokenizer
"""

import pathlib
import sys
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


def char_classes():
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

    return [sum(1 << i for i, members in enumerate(classes) if c in members) for c in range(0x110000)]


def bert_classes():
    def removed(normalizer):
        return {c for c in CODE_POINTS if normalizer.normalize_str("a" + chr(c)) == "a"}

    other = removed(normalizers.BertNormalizer(True, False, False, False))
    nonspacing = removed(normalizers.BertNormalizer(False, False, True, False))
    return [(c in other) + 2 * (c in nonspacing) for c in range(0x110000)]


def scripts():
    """Two characters are of one script where nothing is cut between them; of any script where that is so beside
    characters of two scripts."""
    cutter = pre_tokenizers.UnicodeScripts()

    def together(a, b):
        return len(cutter.pre_tokenize_str(a + chr(b))) == 1

    numbers = [0] * 0x110000
    representatives = []
    for c in CODE_POINTS:
        if together("A", c) and together("\u03b1", c):
            continue
        if numbers[c - 1] and together(representatives[numbers[c - 1] - 1], c):
            numbers[c] = numbers[c - 1]
            continue
        for i, other in enumerate(representatives):
            if together(other, c):
                numbers[c] = i + 1
                break
        else:
            representatives.append(chr(c))
            numbers[c] = len(representatives)
    return numbers


def write(path, values, meaning):
    ranges = [(c, v) for c, v in enumerate(values) if c == 0 or values[c - 1] != v]
    lines = [f"// Written by tools/make_unicode_classes.py: {{first code point, {meaning}}} of each run of equal ones."]
    line = ""
    for c, value in ranges:
        item = f"{{0x{c:X},{value}}},"
        if len(line) + len(item) > 118:
            lines.append(line)
            line = ""
        line += item
    path.write_text("\n".join([*lines, line]) + "\n")


def main():
    folder = pathlib.Path(sys.argv[1])
    write(folder / "unicode_classes.inc", char_classes(), "class bits")
    write(folder / "bert_classes.inc", bert_classes(), "class bits")
    write(folder / "unicode_scripts.inc", scripts(), "script")


main()
