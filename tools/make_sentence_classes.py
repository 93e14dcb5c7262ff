"""Writes the table of characters that sentences are found by, read off Python's `regex`, which NLTK uses:

    python tools/make_sentence_classes.py src/data/sentences/character_classes.inc
"""

import pathlib
import sys

import regex

# In the order of the bits of CharacterClass (src/data/sentences/characters.h).
CLASSES = [r"\s", r"[^\W\d]", r"\d", r"\p{Uppercase}", r"\p{Lowercase}", r"\p{Cased}", r"\p{Case_Ignorable}"]


def main():
    patterns = [regex.compile(pattern) for pattern in CLASSES]

    def bits(c):
        if 0xD800 <= c < 0xE000:
            return 0
        return sum(1 << i for i, pattern in enumerate(patterns) if pattern.match(chr(c)))

    lines = ["// Written by tools/make_sentence_classes.py: {first code point, class bits} of each run of equal ones."]
    line, last = "", None
    for c in range(0x110000):
        value = bits(c)
        if value == last:
            continue
        last = value
        item = f"{{0x{c:X},{value}}},"
        if len(line) + len(item) > 118:
            lines.append(line)
            line = ""
        line += item
    pathlib.Path(sys.argv[1]).write_text("\n".join([*lines, line]) + "\n")


main()
