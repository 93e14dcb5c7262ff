"""Text to split into sentences: English from this machine's documentation, and made-up text full of what makes it hard."""

import gzip
import pathlib
import random
import sys
import unicodedata

WORDS = """the The he He it It a A in In of Bach S. J. S.B. Mr. Mrs. Dr. U.S. U.S.A. u.s. e.g. i.e. etc. No. no. Inc. Co. vs. p.m. a.m. Jan. Feb.
St. Ph.D. Sen. Gen. approx. word Word WORD words. Words. end end. End! really? What?! no!! ... .. .... . ? ! ?! 1 2. 3.14 1,000. -5. .5 ,5 1.2.3
17. (a) (b). "quote" "Quote." 'single.' “curly” “Curly.” ‘one.’ «guillemet.» ». .” .) .] .}" ." ?" !) ; : , - -- --- ----- x-y. co-op. well-etc. A. B. É. é. Ω.
ΟΔΟΣ. Σ. οδός İstanbul. ß. ǅ. 東京。 end.Next end.next a.b.c a.b.c. www.example.com. http://x.y/z?q=1 file.txt. foo(bar.baz); [1]. {x.} `code.` #tag. @me. *bold.*
.Net .. . . . . . . . . (. .( end.) End.” However However, Moreover When when If if Since Indeed Ms. Miller said said. Corp. Ltd. Bros. ##number##""".split()
SPACES = [" ", " ", " ", " ", " ", "  ", "\n", "\n\n", "\t", "\r\n", "\u00a0", "\u2003", "\u2028", "\x0b", "\x1c", "\x85", "", "", "\u200b", "\u3000"]


def assigned_characters():
    """All that the Unicode of this Python has, but surrogates."""
    return [chr(c) for c in range(sys.maxunicode + 1) if unicodedata.category(chr(c)) not in ("Cn", "Cs", "Co")]


CHARACTERS = assigned_characters()


def made_up(rng, most=60, vocabulary=()):
    """A text of words, marks and any characters. `vocabulary`: words of a model, that its rules speak of."""
    parts = []
    for _ in range(rng.randrange(most)):
        kind = rng.random()
        if kind < 0.5:
            word = rng.choice(WORDS)
        elif kind < 0.8 and vocabulary:
            word = rng.choice(vocabulary)
            word = rng.choice([word, word.capitalize(), word.upper(), word + ".", word.capitalize() + "."])
        elif kind < 0.95:
            word = "".join(rng.choices("aB.?!,;:-\"'()[]{}`#*@& \n1“”‘’«»\u0345'", k=rng.randrange(1, 9)))
        else:
            word = "".join(rng.choices(CHARACTERS, k=rng.randrange(1, 4))) + rng.choice(["", ".", "!"])
        parts += [word, rng.choice(SPACES)]
    return "".join(parts)


def english(most_characters=3_000_000):
    """Text files of this machine: licences, documentation, Python's help."""
    texts, size = [], 0
    folders = ["/usr/share/common-licenses", "/usr/share/doc", "/usr/share/perl", "/usr/lib/python3", "/usr/share/info"]
    for folder in map(pathlib.Path, folders):
        for path in sorted(folder.rglob("*")):
            if not path.is_file() or path.stat().st_size > 2_000_000 or path.suffix in (".so", ".png", ".pyc", ".dat"):
                continue
            try:
                text = (gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()).decode()
            except (OSError, UnicodeDecodeError):
                continue
            if "\0" in text or not text:
                continue
            texts.append(text)
            size += len(text)
            if size > most_characters:
                return texts
    return texts


def vocabulary(model):
    """The words that a model knows, most of them rare in any text."""
    words = [line for name in ("abbrev_types.txt", "sent_starters.txt") for line in (model / name).read_text().splitlines() if line]
    words += [word for line in (model / "collocations.tab").read_text().splitlines() for word in line.split("\t")]
    contexts = [line.split("\t")[0] for line in (model / "ortho_context.tab").read_text().splitlines()]
    return words * 4 + random.Random(5).sample(contexts, min(len(contexts), 4000))
