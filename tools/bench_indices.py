"""Measures how fast the order of a dataset is built: ours against megatron-core's compiled helpers and NumPy's shuffle.

    scripts/oracle-python tools/bench_indices.py [--samples 10000000 100000000] [--only NAME] [--json FILE] [--folder FOLDER]
        [--huge]

Needs the program index_bench (ninja index_bench). For each index two times: computed into memory, and with the .npy file that
a run keeps. Neither side's first array in memory counts, since the system is slow to give a process memory that none has had.
Both sides' files must be equal, byte for byte. Alternates the two sides and takes each one's best. `load` is the system's load
average when an index is done: above the number of cores, the times are those of a busy machine. --huge: also a whole order of
10^9 samples, ours alone, with its peak memory.
"""

import argparse
import ctypes
import filecmp
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

import numpy
from megatron.core.datasets import helpers
from megatron.core.datasets.utils import normalize

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD = pathlib.Path(os.environ.get("LONGHAUL_BUILD_DIR", ROOT / "build"))
SEQUENCE_LENGTH = 512
MEAN_DOCUMENT = 400
GOAL = 2.0


def ours(*arguments):
    done = subprocess.run([BUILD / "bin" / "index_bench", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"index_bench failed: {done.stderr}")
    return json.loads(done.stdout)


def timed(action):
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def write_corpus(prefix, lengths, borders=None):
    """The index of sequences of these lengths; their ids are a hole in the file. `borders` of the documents: each its own."""
    count = len(lengths)
    ends = numpy.cumsum(lengths, dtype=numpy.int64) * 2
    with open(f"{prefix}.idx", "wb") as file:
        file.write(b"MMIDIDX\0\0" + (1).to_bytes(8, "little") + bytes([8]))
        borders = numpy.arange(count + 1, dtype=numpy.int64) if borders is None else borders
        file.write(count.to_bytes(8, "little") + len(borders).to_bytes(8, "little"))
        lengths.tofile(file)
        (ends - 2 * lengths).tofile(file)
        borders.tofile(file)
    with open(f"{prefix}.bin", "wb") as file:
        file.truncate(int(ends[-1]))


def keep_memory():
    """malloc keeps what is freed, as in index_bench: so the helpers, too, find memory that is at hand."""
    trim_threshold, mmap_max = -1, -4
    libc = ctypes.CDLL(None)
    assert libc.mallopt(mmap_max, 0) == 1 and libc.mallopt(trim_threshold, -1) == 1


class Comparison:
    """One index: `theirs` computes arrays into memory that is at hand; `mine` are index_bench's arguments without OUT."""

    def __init__(self, name, samples, mine, prepare, theirs, folder):
        self.name, self.samples, self.mine, self.prepare, self.theirs, self.folder = name, samples, mine, prepare, theirs, folder

    def run(self, rounds):
        best = {}
        for _ in range(rounds):
            for key, seconds in (("ours", self.my_time("-")), ("ours_file", self.my_time(self.folder / "ours")),
                                 *self.their_times()):
                best[key] = min(seconds, best.get(key, seconds))
        equal = all(filecmp.cmp(self.folder / f"theirs-{i}.npy", self.folder / f"ours-{i}.npy", shallow=False)
                    for i in range(len(list(self.folder.glob("theirs-*.npy")))))
        for file in self.folder.glob("*-[01].npy"):
            file.unlink()
        if not equal:
            sys.exit(f"{self.name}, {self.samples} samples: the two are not equal")
        return {"index": self.name, "samples": self.samples, **best, "times": best["theirs"] / best["ours"],
                "times_file": best["theirs_file"] / best["ours_file"]}

    def my_time(self, out):
        return ours(self.mine[0], out, *self.mine[1:])["seconds"]

    def their_times(self):
        arrays = self.prepare()
        computed = timed(lambda: arrays.extend(self.theirs(arrays) or []))

        def save():
            for i, array in enumerate(array for array in arrays if array is not None):
                with open(self.folder / f"theirs-{i}.npy", "wb") as file:
                    numpy.save(file, array)
                    file.flush()
                    os.fsync(file.fileno())

        return [("theirs", computed), ("theirs_file", computed + timed(save))]


def touched(count, dtype):
    array = numpy.empty(count, dtype)
    array.fill(0)
    return array


def blend(name, weights, samples, folder):
    def theirs(arrays):
        helpers.build_blending_indices(arrays[0], arrays[1], normalize(weights), len(weights), samples, False)

    return Comparison(name, samples, ["blend", samples, *weights],
                      lambda: [touched(samples, numpy.int16), touched(samples, numpy.int64)], theirs, folder)


def by_size(name, lengths, folder):
    samples = sum(lengths)

    def theirs(arrays):
        helpers.build_exhaustive_blending_indices(arrays[0], arrays[1], lengths, len(lengths))

    return Comparison(name, samples, ["blend", samples, *lengths],
                      lambda: [touched(samples, numpy.int16), touched(samples, numpy.int64)], theirs, folder)


def shuffle(name, samples, folder):
    return Comparison(name, samples, ["shuffle", samples, 1], lambda: [numpy.arange(samples, dtype=numpy.uint32)],
                      lambda arrays: numpy.random.RandomState(1).shuffle(arrays[0]), folder)


def sample_index(name, samples, folder):
    rng = numpy.random.default_rng(1)
    documents = samples * SEQUENCE_LENGTH // MEAN_DOCUMENT
    lengths = rng.geometric(1 / MEAN_DOCUMENT, documents).astype(numpy.int32)
    write_corpus(folder / "corpus", lengths)
    order = rng.permutation(documents).astype(numpy.int32)
    numpy.save(folder / "documents.npy", order)
    tokens = int(lengths.sum(dtype=numpy.int64))
    # A first run, so that the memory that the helper allocates has been given to this process before.
    helpers.build_sample_idx(lengths, order, SEQUENCE_LENGTH, 1, tokens, True, True)
    return Comparison(name, (tokens - 1) // SEQUENCE_LENGTH,
                      ["samples", folder / "corpus", SEQUENCE_LENGTH, folder / "documents.npy"], list,
                      lambda _: [helpers.build_sample_idx(lengths, order, SEQUENCE_LENGTH, 1, tokens, True, True)], folder)


def sentence_index(name, samples, folder):
    """A BERT dataset's rows: documents of some thirty sentences, gone through as often as the samples need."""
    rng = numpy.random.default_rng(1)
    borders = numpy.concatenate([[0], numpy.cumsum(rng.integers(2, 60, 200_000))]).astype(numpy.int64)
    lengths = rng.geometric(1 / 25, borders[-1]).astype(numpy.int32)
    write_corpus(folder / "corpus", lengths, borders)

    def theirs(_):
        return [helpers.build_mapping(borders, lengths, numpy.iinfo(numpy.int32).max - 1, samples, SEQUENCE_LENGTH - 3, 0.1, 1234,
                                      False, 2)]

    return Comparison(name, samples, ["sentences", folder / "corpus", SEQUENCE_LENGTH - 3, samples], list, theirs, folder)


def comparisons(samples, folder):
    """Names, and what makes the comparison of that name."""
    rng = random.Random(1)
    weights = [round(rng.uniform(0.01, 1), 6) for _ in range(20)]
    sizes = [samples // 2, samples // 4, samples // 8, samples // 16, samples - samples // 16 * 15]
    return {
        "blend of 2": lambda name: blend(name, [0.7, 0.3], samples, folder),
        "blend of 3": lambda name: blend(name, [0.3, 0.5, 0.2], samples, folder),
        "blend of 20": lambda name: blend(name, weights, samples, folder),
        "by size, 5": lambda name: by_size(name, sizes, folder),
        "shuffle": lambda name: shuffle(name, samples, folder),
        "sample index": lambda name: sample_index(name, samples, folder),
        "sentence index": lambda name: sentence_index(name, samples, folder),
    }


def main():
    keep_memory()
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--samples", type=int, nargs="+", default=[10**7, 10**8])
    parser.add_argument("--only", default="", help="the indices whose name begins so")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", help="write the results here, too")
    parser.add_argument("--folder", help="for the files, 20 bytes a sample; default: the system's temporary folder")
    parser.add_argument("--huge", action="store_true", help="10^9 samples: 20 GB of files")
    arguments = parser.parse_args()
    results = []
    print(f"{'index':<14}{'samples':>12}   {'ours':>8}{'theirs':>9}{'times':>7}   {'ours+file':>10}{'theirs+file':>12}{'times':>7}{'load':>7}")
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = pathlib.Path(name)
        for samples in arguments.samples:
            for index, make in comparisons(samples, folder).items():
                if not index.startswith(arguments.only):
                    continue
                r = make(index).run(arguments.rounds) | {"load": os.getloadavg()[0]}
                results.append(r)
                print(f"{r['index']:<14}{r['samples']:>12,}   {r['ours']:>7.2f}s{r['theirs']:>8.2f}s{r['times']:>7.1f}"
                      f"   {r['ours_file']:>9.2f}s{r['theirs_file']:>11.2f}s{r['times_file']:>7.1f}"
                      f"{r['load']:>7.1f}{'' if r['times'] >= GOAL else '   BELOW THE GOAL of ' + str(GOAL)}", flush=True)
        if arguments.huge:
            samples = 10**9
            lengths = numpy.random.default_rng(1).geometric(1 / 4000, 10**7).astype(numpy.int32)
            write_corpus(folder / "corpus", lengths)
            r = ours("order", folder / "cache", folder / "corpus", SEQUENCE_LENGTH, samples)
            files = sum(file.stat().st_size for file in (folder / "cache").glob("*.npy"))
            shutil.rmtree(folder / "cache")
            results.append({"index": "whole order", "samples": samples, **r, "file_bytes": files})
            print(f"{'whole order':<14}{samples:>12,}   {r['seconds']:.1f} s with its files of {files / 1e9:.1f} GB, "
                  f"peak memory {r['memory'] / 1e9:.2f} GB")
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps({"unit": "seconds", "cores": os.cpu_count(), "results": results}, indent=1))


if __name__ == "__main__":
    main()
