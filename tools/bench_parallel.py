"""Speed of layouts on this machine's cores, in alternating runs: one rank on all cores against ranks of one thread each.

Same machine, cores, model and global batch. Prints a table and writes a JSON file. See scripts/bench parallel.
"""

import argparse
import json
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
WARMUP = 2  # steps that are not counted


def layouts(ranks, micro):
    """Name, and what of the recipe it changes. Data-parallel ranks take micro-batches as large as one rank's."""
    data = [f"batch.micro={micro}"]
    return {
        f"1 rank, {ranks} threads": (1, data),
        f"DP {ranks}": (ranks, data),
        f"DP {ranks}, gradients in BF16": (ranks, data + ["parallel.gradient_reduction=bf16"]),
        f"DP {ranks}, ZeRO 1": (ranks, data + ["parallel.sharding=optimizer"]),
        f"DP {ranks}, ZeRO 2": (ranks, data + ["parallel.sharding=gradients"]),
        f"DP {ranks}, ZeRO 3": (ranks, data + ["parallel.sharding=parameters"]),
        f"TP {ranks}": (ranks, data + [f"parallel.tensor={ranks}"]),
        f"TP {ranks}, SP": (ranks, data + [f"parallel.tensor={ranks}", "parallel.sequence=true"]),
        f"TP {ranks}, 2 chunks": (ranks, data + [f"parallel.tensor={ranks}", "parallel.tensor_chunks=2"]),
        f"TP {ranks}, SP, 2 chunks": (ranks, data + [f"parallel.tensor={ranks}", "parallel.sequence=true",
                                                     "parallel.tensor_chunks=2"]),
        f"TP {ranks}, SP, 4 chunks": (ranks, data + [f"parallel.tensor={ranks}", "parallel.sequence=true",
                                                     "parallel.tensor_chunks=4"]),
        f"PP {ranks}": (ranks, ["batch.micro=1", f"parallel.pipeline={ranks}"]),
        f"PP {ranks}, fewer layers last": (ranks, ["batch.micro=1", f"parallel.pipeline={ranks}", "parallel.count_loss=true"]),
    }


def run(arguments, ranks, overrides, folder):
    threads = arguments.ranks if ranks == 1 else 1
    launch = ["launch", "local", "--ranks", str(ranks), "--"] if ranks > 1 else []
    subprocess.run([arguments.program, *launch, "pretrain", arguments.recipe, f"trainer.precision={arguments.precision}",
                    f"batch.global={arguments.batch}", f"trainer.max_steps={arguments.steps}", f"trainer.threads={threads}",
                    f"trainer.run_dir={folder}", *overrides], check=True, capture_output=True)
    metrics = [json.loads(line) for line in (pathlib.Path(folder) / "metrics.jsonl").read_text().splitlines()]
    return metrics


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--program", default=str(ROOT / "build" / "bin" / "llm-pretrain"))
    parser.add_argument("--recipe", default=str(ROOT / "recipes" / "bench_28m.json"))
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--batch", type=int, default=8, help="sequences a step")
    parser.add_argument("--micro", type=int, default=4)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--only", action="append", help="rows whose name has this in it, beside the first")
    parser.add_argument("--output", default=str(ROOT / "build" / "bench-parallel.json"))
    arguments = parser.parse_args()
    rows = layouts(arguments.ranks, arguments.micro)
    alone = next(iter(rows))
    if arguments.only:
        rows = {name: row for name, row in rows.items() if name == alone or any(word in name for word in arguments.only)}

    steps = {name: [] for name in rows}
    memory = {name: 0 for name in rows}
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as scratch:
        for i in range(arguments.rounds):
            for number, (name, (ranks, overrides)) in enumerate(rows.items()):
                metrics = run(arguments, ranks, overrides, f"{scratch}/{i}-{number}")
                steps[name] += metrics[WARMUP:]
                memory[name] = max(memory[name], *(m["memory_bytes"] for m in metrics))
                print(f"  round {i + 1}/{arguments.rounds}: {name}", file=sys.stderr)

    def median(name, key):
        return statistics.median(m[key] for m in steps[name])

    results = []
    for name in rows:
        results.append({"layout": name, "tokens_per_second": median(name, "tokens_per_second"),
                        "of_one_rank": median(name, "tokens_per_second") / median(alone, "tokens_per_second"),
                        "step_seconds": median(name, "step_seconds"),
                        "communication_seconds": median(name, "communication_seconds"), "memory_bytes": memory[name]})
    print(f"{pathlib.Path(arguments.recipe).stem}, {arguments.precision}, global batch {arguments.batch}, {arguments.ranks} cores, "
          f"medians of {arguments.rounds} alternating runs; communication and memory: of rank 0")
    print(f"{'':24} {'tokens/s':>9} {'of one rank':>12} {'step s':>8} {'communication s':>16} {'memory MiB':>11}")
    for r in results:
        print(f"{r['layout']:24} {r['tokens_per_second']:9.0f} {r['of_one_rank']:12.2f} {r['step_seconds']:8.2f} "
              f"{r['communication_seconds']:16.2f} {r['memory_bytes'] / 2**20:11.0f}")
    pathlib.Path(arguments.output).write_text(json.dumps(
        {"machine": platform.processor() or platform.machine(), "precision": arguments.precision, "batch": arguments.batch,
         "ranks": arguments.ranks, "rows": results}, indent=2) + "\n")


if __name__ == "__main__":
    main()
