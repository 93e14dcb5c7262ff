"""Tokenizers, and `llm-pretrain prepare` beside what Megatron-LM's preprocessing does, with the same workers.

The other side is tests/parity/prepare_reference.py: python's json, the `tokenizers` library, a pool of processes and
megatron-core's builder. Both must write the same bytes. Prints tables and writes a JSON file. See scripts/bench.
"""

import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import bench_tokenizers  # noqa: E402

GOAL = 5.0  # times as fast as the other side


def memory_of(process):
    """MiB of a process and its children, each without the pages that it shares with others."""
    children = open(f"/proc/{process}/task/{process}/children").read().split()
    lines = open(f"/proc/{process}/smaps_rollup").read().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024 + sum(map(memory_of, children))


def measured(arguments, environment):
    """Seconds, and the most memory that was in use."""
    peak, done = [0.0], threading.Event()
    start = time.perf_counter()
    process = subprocess.Popen([str(a) for a in arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)

    def watch():
        while not done.wait(0.1):
            try:
                peak[0] = max(peak[0], memory_of(process.pid))
            except (OSError, ValueError):
                pass  # a process has just ended

    watcher = threading.Thread(target=watch)
    watcher.start()
    _, errors = process.communicate()
    seconds = time.perf_counter() - start
    done.set()
    watcher.join()
    if process.returncode != 0:
        sys.exit(f"{arguments[0]} failed: {errors.decode()[-2000:]}")
    return seconds, peak[0]


def corpus(folder, megabytes):
    texts = list(bench_tokenizers.synthetic(min(megabytes, 20)))
    lines = "".join(json.dumps({"text": text, "id": i}) + "\n" for i, text in enumerate(texts)).encode()
    path = folder / f"{megabytes}.jsonl"
    with open(path, "wb") as file:
        for _ in range(max(1, round(megabytes * 1e6 / len(lines)))):
            file.write(lines)
    return path, texts


def compare(options, folder, kind):
    path, texts = corpus(folder, options.megabytes)
    tokenizer = folder / kind
    tokenizer.mkdir()
    bench_tokenizers.KINDS[kind](texts[: len(texts) // 3]).save(str(tokenizer / "tokenizer.json"))
    megabytes = path.stat().st_size / 1e6
    ours = [options.program, "prepare", "--input", path, "--tokenizer", tokenizer, "--output-prefix", folder / "ours",
            "--workers", options.workers]
    theirs = [sys.executable, ROOT / "tests/parity/prepare_reference.py", "--input", path, "--tokenizer", tokenizer,
              "--output-prefix", folder / "theirs", "--workers", options.workers]
    rounds = []
    for _ in range(options.rounds):
        rounds.append((measured(ours, os.environ), measured(theirs, os.environ | {"TOKENIZERS_PARALLELISM": "false"})))
    for half in (".bin", ".idx"):
        if (folder / f"ours_text_document{half}").read_bytes() != (folder / f"theirs_text_document{half}").read_bytes():
            sys.exit(f"{kind}: the {half} differ: not the same work")
    seconds = [statistics.median(r[side][0] for r in rounds) for side in (0, 1)]
    memory = [max(r[side][1] for r in rounds) for side in (0, 1)]
    return {"tokenizer": kind, "workers": options.workers, "megabytes": megabytes, "longhaul_mb_per_s": megabytes / seconds[0],
            "megatron_mb_per_s": megabytes / seconds[1], "ratio": seconds[1] / seconds[0], "goal": GOAL,
            "longhaul_memory_mib": memory[0], "megatron_memory_mib": memory[1]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--program", default=str(ROOT / "build" / "bin" / "llm-pretrain"))
    parser.add_argument("--megabytes", type=int, default=40, help="of made-up text for the comparison of prepare")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kinds", nargs="*", default=["gpt2", "llama3"], choices=list(bench_tokenizers.KINDS))
    parser.add_argument("--no-tokenizers", action="store_true", help="only prepare")
    parser.add_argument("--output", default=str(ROOT / "build" / "bench-data.json"))
    options = parser.parse_args()
    results = {"machine": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as scratch:
        folder = pathlib.Path(scratch)
        if not options.no_tokenizers:
            subprocess.run([sys.executable, ROOT / "tools/bench_tokenizers.py", "--json", folder / "tokenizers.json"], check=True)
            results["tokenizers"] = json.loads((folder / "tokenizers.json").read_text())
            print()
        print(f"prepare, {options.workers} workers, {options.megabytes} MB of JSON lines, medians of {options.rounds} alternating runs")
        print(f"{'tokenizer':<12} {'ours MB/s':>10} {'Megatron':>9} {'times':>6}  {'goal':<9} {'memory MiB':>10} {'Megatron':>9}", flush=True)
        results["prepare"] = []
        for kind in options.kinds:
            row = compare(options, folder, kind)
            results["prepare"].append(row)
            print(f"{kind:<12} {row['longhaul_mb_per_s']:>10.1f} {row['megatron_mb_per_s']:>9.1f} {row['ratio']:>6.1f}  "
                  f"{GOAL:.0f} {'met' if row['ratio'] >= GOAL else 'MISSED':<7} {row['longhaul_memory_mib']:>10.0f} "
                  f"{row['megatron_memory_mib']:>9.0f}", flush=True)
    pathlib.Path(options.output).write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
