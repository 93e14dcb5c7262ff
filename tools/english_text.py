"""Collects English prose from the documentation on this machine, as JSON lines with the key "text".

Sources: manual pages, /usr/share/doc, info pages, Perl's POD and reStructuredText or Markdown manuals. Mark-up is
stripped, paragraphs that are not English sentences (tables, synopses, code, other languages) are dropped, and each
paragraph is kept once. Used to make the text that the shipped checkpoint was pre-trained on (scripts/make-checkpoint).

    python3 tools/english_text.py OUT.jsonl [--max-megabytes 60]
"""

import argparse
import gzip
import hashlib
import html
import json
import pathlib
import random
import re
import sys

STOP_WORDS = frozenset(
    "the of and to a in is that it for on with as are this be or by from at which not can if an will you have when "
    "was all has its but one may more used using use these also only than such no so other into any how they".split())


def manual_page(text):
    """Plain text of a roff manual page: macros out, font changes and escapes resolved, paragraphs kept apart."""
    lines = []
    for line in text.splitlines():
        if line.startswith(("'\\\"", '.\\"')):
            continue
        macro = re.match(r"^[.']\s*([A-Za-z]+)\s*(.*)$", line)
        if macro:
            name, rest = macro.groups()
            if name in ("B", "I", "BR", "IR", "RB", "RI", "BI", "IB", "Nm", "Fl", "Ar", "Pa", "Xr", "Em", "Sy"):
                lines.append(rest.replace('"', ""))
            else:
                lines.append("")
            continue
        lines.append(line)
    text = "\n".join(lines)
    text = re.sub(r"\\f(\[[^\]]*\]|\(..|.)", "", text)
    text = re.sub(r"\\s[-+]?\d+", "", text)
    for escape, plain in ((r"\-", "-"), (r"\(aq", "'"), (r"\(cq", "'"), (r"\(oq", "'"), (r"\(lq", '"'), (r"\(rq", '"'),
                          (r"\(em", " - "), (r"\(en", "-"), (r"\(bu", ""), (r"\e", "\\"), (r"\&", ""), (r"\ ", " "),
                          (r"\|", ""), (r"\c", ""), (r"\/", ""), (r"\:", ""), (r"\~", " "), (r"\(co", "(c)")):
        text = text.replace(escape, plain)
    return text


def web_page(text):
    text = re.sub(r"(?is)<(script|style|pre|head)\b.*?</\1>", " ", text)
    text = re.sub(r"(?i)</?(p|div|li|h\d|tr|table|ul|ol|dl|dd|dt|br)\b[^>]*>", "\n\n", text)
    return html.unescape(re.sub(r"<[^>]+>", "", text))


def pod(text):
    parts = re.findall(r"(?ms)^=(?:pod|head\d|over|item|back|begin|for|encoding)\b.*?(?=^=cut|\Z)", text)
    text = "\n\n".join(parts)
    text = re.sub(r"(?m)^=\w+.*$", "", text)
    return re.sub(r"[A-Z]<+\s*([^<>]*?)\s*>+", r"\1", text)


def plain(text):
    return re.sub(r"``([^`]*)``", r"\1", text)


def paragraphs(text):
    """English paragraphs: sentences of mostly letters with enough of the commonest English words."""
    for block in re.split(r"\n\s*\n", text):
        lines = block.splitlines()
        if any(line.startswith(("    ", "\t")) for line in lines[1:]) and not block.startswith((" ", "\t")):
            continue  # code or a list
        paragraph = re.sub(r"\s+", " ", block).strip(" *-")
        words = re.findall(r"[A-Za-z']+", paragraph)
        if len(words) < 12 or not paragraph[0].isupper() or paragraph[-1] not in ".:!?)\"'":
            continue
        letters = sum(c.isalpha() or c in " ,.'" for c in paragraph)
        common = sum(word.lower() in STOP_WORDS for word in words)
        if letters < 0.9 * len(paragraph) or common < 0.28 * len(words):
            continue
        if any(ord(c) > 0x2FFF for c in paragraph):
            continue
        yield paragraph


def sources():
    share = pathlib.Path("/usr/share")
    for section in sorted(share.glob("man/man*")):
        yield from ((path, manual_page) for path in sorted(section.iterdir()))
    for path in sorted((share / "doc").rglob("*")):
        name = path.name.removesuffix(".gz").lower()
        if name.endswith((".html", ".htm")):
            yield path, web_page
        elif name.endswith((".txt", ".md", ".rst", ".text")) or name.startswith(("readme", "faq", "news", "changelog", "copyright")):
            yield path, plain
    yield from ((path, plain) for path in sorted(share.glob("info/*.gz")))
    for root in ("/usr/share/perl", "/usr/lib/x86_64-linux-gnu/perl", "/usr/share/perl5"):
        for suffix in ("*.pod", "*.pm"):
            yield from ((path, pod) for path in sorted(pathlib.Path(root).rglob(suffix)))
    for root in sorted(share.glob("cmake-*/Help")):
        yield from ((path, plain) for path in sorted(root.rglob("*.rst")))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("output")
    parser.add_argument("--max-megabytes", type=float, default=60)
    arguments = parser.parse_args()
    seen, documents = set(), []
    for path, strip in sources():
        if not path.is_file() or path.stat().st_size > 20e6:
            continue
        try:
            data = path.read_bytes()
            text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
        except (OSError, UnicodeDecodeError, EOFError):
            continue
        kept = []
        for paragraph in paragraphs(strip(text)):
            key = hashlib.blake2b(re.sub(r"\W+", "", paragraph.lower()).encode(), digest_size=8).digest()
            if key not in seen:
                seen.add(key)
                kept.append(paragraph)
        if kept:
            documents.append("\n\n".join(kept))
    random.Random(0).shuffle(documents)
    written = 0
    with open(arguments.output, "w", encoding="utf-8") as out:
        for document in documents:
            if written > arguments.max_megabytes * 1e6:
                break
            written += len(document)
            out.write(json.dumps({"text": document}, ensure_ascii=False) + "\n")
    print(f"{len(documents)} documents, {written / 1e6:.1f} M characters of English prose", file=sys.stderr)


if __name__ == "__main__":
    main()
