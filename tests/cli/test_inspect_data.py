"""inspect data: what is in a dataset, one document of it, and words for every kind of damage."""

import re
import struct

import numpy
import pytest
import tokenizers

from cli_support import TEXT, fails, ok, write_dataset


def documents_of(hf):
    tokenizer = tokenizers.Tokenizer.from_file(str(hf / "tokenizer.json"))
    return [tokenizer.encode(text).ids + [0] for text in TEXT]


def test_lengths_and_histogram(data, hf):
    out = ok("inspect", "data", data).stdout
    assert out == ok("inspect", data).stdout
    lengths = sorted(len(document) for document in documents_of(hf))
    assert f"{sum(lengths):,}" in out and f"{lengths[-1]} tokens" in out and f"{lengths[0]} tokens" in out
    assert f"{sum(lengths) / len(lengths):.1f} tokens a document" in out
    bins = {int(low): int(count) for low, count in re.findall(r"^ *(\d+) - \d+ +(\d+)  #+$", out, re.M)}
    assert bins == {low: count for low in (8, 16, 32, 64) if (count := sum(low <= length < 2 * low for length in lengths))}


def test_a_document_as_ids(data, hf):
    out = ok("inspect", "data", data, "--document", 7).stdout
    ids = documents_of(hf)
    assert [int(i) for row in re.findall(r"^ *\d+:(.*)$", out, re.M) for i in row.split()] == ids[7]
    assert f"from byte {2 * sum(map(len, ids[:7]))} of the .bin" in out


def test_a_document_as_text(data, hf):
    out = ok("inspect", "data", data, "--document", 7, "--decode", "--tokenizer", hf).stdout
    rows = re.findall(r'^ *(\d+) +(\d+) +(\d+) +(?:(\d+) - (\d+)|-) +(?:(\d+) - (\d+)|-)(?: +(".*"))?$', out, re.M)
    assert [int(row[2]) for row in rows] == documents_of(hf)[7]
    first = 2 * sum(map(len, documents_of(hf)[:7]))
    assert [int(row[1]) for row in rows] == [first + 2 * i for i in range(len(rows))]
    text = TEXT[7] + "<|endoftext|>"
    for *_, begin, end, begin_character, end_character, shown in rows:
        if begin:
            part = text.encode()[int(begin):int(end)].decode()
            assert part == text[int(begin_character):int(end_character)]
            assert shown == '"' + part + '"'
    assert int(rows[-1][4]) == len(text.encode()) and int(rows[-1][6]) == len(text)


def test_verify(data, hf):
    for arguments in ([], ["--tokenizer", hf]):
        out = ok("inspect", "data", data, "--verify", *arguments).stdout
        assert "all of it is right: 181 pointers" in out and "in a vocabulary of 400" in out
        assert re.findall(r"^xxh3 [0-9a-f]{16}  (.*)$", out, re.M) == [f"{data}.bin", f"{data}.idx"]


def test_checksums_tell_copies_apart(tmp_path):
    found = []
    for name, last in (("a", 7), ("b", 7), ("c", 8)):
        out = ok("inspect", "data", write_dataset(tmp_path / name, [[1, 2], [last]]), "--verify").stdout
        found.append(re.findall(r"^xxh3 ([0-9a-f]{16})  ", out, re.M))
    assert found[0] == found[1] and found[2][0] != found[0][0] and found[2][1] == found[0][1]


def test_what_is_not_there(data, hf, tmp_path):
    fails(2, "there is no document 60 in", "inspect", "data", data, "--document", 60)
    fails(2, "there is no document -1 in", "inspect", "data", data, "--document=-1")
    fails(2, "say which, with --document N", "inspect", "data", data, "--decode", "--tokenizer", hf)
    fails(2, "--tokenizer FOLDER", "inspect", "data", data, "--document", 1, "--decode")
    fails(2, "does not exist", "inspect", "data", tmp_path / "nothing")
    fails(2, "FOLDER_OR_FILE is required", "inspect")
    foreign = write_dataset(tmp_path / "foreign", [[1, 2], [3, 60000]])
    fails(2, "token 1 of the document is 60000, but the tokenizer has 400 ids", "inspect", "data", foreign, "--document", 1,
          "--decode", "--tokenizer", hf)
    fails(2, "token 1 of sequence 1 (byte 6) is 60000, but the vocabulary has 400 ids", "inspect", "data", foreign, "--verify",
          "--tokenizer", hf)
    assert "only --tokenizer or a side-car can say" in ok("inspect", "data", foreign, "--verify").stdout


DOCUMENTS = [[10, 11, 12], [], [40000, 21]]
IDX = {"version": 9, "dtype": 17, "sequences": 18, "borders": 26, "lengths": 34, "offsets": 46, "documents": 70}


@pytest.mark.parametrize("damage, words", [
    (lambda idx, bin: (idx[:20], bin), "is truncated: 20 bytes, but the header alone has 34"),
    (lambda idx, bin: (idx[:-1], bin), "is truncated or damaged"),
    (lambda idx, bin: (idx + b"\0", bin), "is truncated or damaged"),
    (lambda idx, bin: (idx, bin[:-1]), ["d.bin is truncated: it has 9 bytes", "describes 10"]),
    (lambda idx, bin: (idx, bin + b"\0\0"), "d.bin does not belong to its index"),
    (lambda idx, bin: (b"PK" + idx[2:], bin), 'does not start with "MMIDIDX"'),
    (lambda idx, bin: (put(idx, "version", "<Q", 2), bin), "has format version 2; only version 1 is known"),
    (lambda idx, bin: (put(idx, "dtype", "<B", 6), bin), "holds floating point values"),
    (lambda idx, bin: (put(idx, "dtype", "<B", 9), bin), "its dtype code is 9, not one of 1 … 8"),
    (lambda idx, bin: (put(idx, "dtype", "<B", 3), bin), "a token of sequence 2 is negative"),
    (lambda idx, bin: (put(idx, "sequences", "<Q", 2**61), bin), "cannot hold the 2305843009213693952 sequences"),
    (lambda idx, bin: (put(idx, "borders", "<Q", 0), bin), "cannot hold"),
    (lambda idx, bin: (put(idx, "lengths", "<i", -3), bin), "sequence 0 has the length -3"),
    (lambda idx, bin: (put(idx, "lengths", "<i", 2), bin), "sequence 1 should start at byte 4 of the .bin file, but its offset is 6"),
    (lambda idx, bin: (put(idx, "offsets", "<q", 2), bin), "sequence 0 should start at byte 0"),
    (lambda idx, bin: (put(idx, "documents", "<q", 1), bin), "the first document starts at sequence 1, not 0"),
    (lambda idx, bin: (put(idx, "documents", "<q", 3, 1), bin), "document 1 ends at sequence 2, before its start at 3"),
    (lambda idx, bin: (put(idx, "documents", "<q", 2, 3), bin), "the last document ends at sequence 2, but there are 3"),
])
def test_every_kind_of_damage_has_words(tmp_path, damage, words):
    prefix = write_dataset(tmp_path / "d", DOCUMENTS)
    idx, bin = damage((tmp_path / "d.idx").read_bytes(), (tmp_path / "d.bin").read_bytes())
    (tmp_path / "d.idx").write_bytes(idx)
    (tmp_path / "d.bin").write_bytes(bin)
    fails(2, words, "inspect", "data", prefix, "--verify")


def put(idx, field, kind, value, index=0):
    idx = bytearray(idx)
    struct.pack_into(kind, idx, IDX[field] + index * struct.calcsize(kind), value)
    return bytes(idx)


def test_damage_behind_a_side_car(data, hf, tmp_path):
    for half in (".bin", ".idx", ".json"):
        (tmp_path / f"d{half}").write_bytes(open(f"{data}{half}", "rb").read())
    ids = numpy.fromfile(tmp_path / "d.bin", dtype=numpy.uint16)
    ids[5] = 500
    ids.tofile(tmp_path / "d.bin")
    fails(2, "token 5 of sequence 0 (byte 10) is 500, but the vocabulary has 400 ids", "inspect", "data", tmp_path / "d", "--verify")
    ids[ids >= 399] = 0  # the largest id is another now
    ids.tofile(tmp_path / "d.bin")
    fails(2, ["speaks of 60 documents", "or the data is damaged"], "inspect", "data", tmp_path / "d", "--verify")
