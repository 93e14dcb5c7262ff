"""Training speed and memory of llm-pretrain beside `transformers`, in alternating runs.

Same machine, threads, model, batch, dtype and optimiser step. Prints a table and writes a JSON file. See scripts/bench.
"""

import argparse
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
WARMUP = 3  # steps that are not counted
LEAST_STEPS = 9  # of which the checkpoint's stall needs two saves after its first


def run_ours(arguments, precision, folder, *more):
    run_dir = pathlib.Path(folder)
    subprocess.run([arguments.program, "pretrain", arguments.recipe, f"trainer.precision={precision}",
                    f"trainer.max_steps={arguments.steps}", f"trainer.threads={arguments.threads}",
                    f"trainer.run_dir={run_dir}", *more], check=True, capture_output=True)
    return [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]


def run_reference(arguments, precision):
    result = subprocess.run([sys.executable, ROOT / "tools" / "bench_reference.py", arguments.recipe, "--precision",
                             precision, "--steps", str(arguments.steps), "--threads", str(arguments.threads)],
                            check=True, capture_output=True, text=True)
    return json.loads(result.stdout.splitlines()[-1])


def best_product(arguments):
    """FLOP/s of the fastest matrix product of the model's shapes, by precision: Longhaul's products and LibTorch's alike."""
    program = pathlib.Path(arguments.program).with_name("gemm_ops_bench")
    threads = os.environ | {"OMP_NUM_THREADS": str(arguments.threads)}
    text = subprocess.run([program, "gemm"], check=True, capture_output=True, text=True, env=threads).stdout
    best = {}
    for line in text.splitlines():
        rates = [float(rate) * 1e9 for rate in re.findall(r"([0-9.]+) GFLOP/s", line)]
        if rates:
            best[line.split()[0]] = max(best.get(line.split()[0], 0), *rates)
    return best


def compare(arguments, precision, scratch):
    recipe_tokens, ours, theirs, ours_memory, theirs_memory, rates, flops = None, [], [], [], [], [], None
    for i in range(arguments.rounds):
        metrics = run_ours(arguments, precision, f"{scratch}/{precision}-{i}")
        recipe_tokens = metrics[0]["consumed_tokens"]
        flops = metrics[-1]["model_flops_per_second"] / metrics[-1]["tokens_per_second"]
        ours += [m["step_seconds"] for m in metrics[WARMUP:]]
        ours_memory.append(max(m["memory_bytes"] for m in metrics))
        reference = run_reference(arguments, precision)
        theirs += reference["step_seconds"][WARMUP:]
        theirs_memory.append(reference["memory_bytes"])
        rates.append(best_product(arguments)[precision])
        print(f"  {precision} round {i + 1}/{arguments.rounds}: ours {recipe_tokens / statistics.median(ours):.0f} tokens/s, "
              f"transformers {recipe_tokens / statistics.median(theirs):.0f}", file=sys.stderr)
    ours_rate, theirs_rate = recipe_tokens / statistics.median(ours), recipe_tokens / statistics.median(theirs)
    return {"precision": precision, "tokens_per_second": ours_rate, "transformers_tokens_per_second": theirs_rate,
            "speed_ratio": ours_rate / theirs_rate, "memory_bytes": max(ours_memory),
            "transformers_memory_bytes": max(theirs_memory), "memory_ratio": max(ours_memory) / max(theirs_memory),
            "best_product_flops_per_second": max(rates), "share_of_best_product": ours_rate * flops / max(rates),
            "transformers_share_of_best_product": theirs_rate * flops / max(rates),
            "versions": {"torch": reference["torch"], "transformers": reference["transformers"]}}


def checkpoint_stall(arguments, scratch):
    """Seconds that one save holds the run up, written in the background and written at once."""
    stalls = {}
    for mode in ("true", "false"):
        metrics = run_ours(arguments, "fp32", f"{scratch}/stall-{mode}", "checkpoint.every=3", f"checkpoint.async={mode}")
        saves = [m["save_seconds"] for m in metrics if (m["step"] - 1) % 3 == 0 and m["step"] > 4]  # the first makes buffers
        stalls[mode] = statistics.median(saves)
    return {"asynchronous_seconds": stalls["true"], "blocking_seconds": stalls["false"],
            "stall_ratio": stalls["true"] / stalls["false"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--program", default=str(ROOT / "build" / "bin" / "llm-pretrain"))
    parser.add_argument("--recipe", default=str(ROOT / "recipes" / "bench_28m.json"))
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--precision", choices=["fp32", "bf16"], action="append")
    parser.add_argument("--output", default=str(ROOT / "build" / "bench-train.json"))
    arguments = parser.parse_args()
    if arguments.steps < LEAST_STEPS:
        parser.error(f"--steps {arguments.steps}: at least {LEAST_STEPS} are needed, {WARMUP} to warm up and the rest to measure")
    if arguments.rounds < 1:
        parser.error(f"--rounds {arguments.rounds}: at least one is needed")
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as scratch:
        rows = [compare(arguments, precision, scratch) for precision in arguments.precision or ["fp32", "bf16"]]
        stall = checkpoint_stall(arguments, scratch)
    print(f"{pathlib.Path(arguments.recipe).stem}, {arguments.threads} threads, medians of {arguments.rounds} alternating runs")
    print(f"{'':6} {'tokens/s':>10} {'transformers':>13} {'ratio':>7} {'memory MiB':>11} {'transformers':>13} {'ratio':>7} "
          f"{'share':>7} {'transformers':>13}")
    for row in rows:
        print(f"{row['precision']:6} {row['tokens_per_second']:10.0f} {row['transformers_tokens_per_second']:13.0f} "
              f"{row['speed_ratio']:7.2f} {row['memory_bytes'] / 2**20:11.0f} {row['transformers_memory_bytes'] / 2**20:13.0f} "
              f"{row['memory_ratio']:7.2f} {row['share_of_best_product']:7.1%} {row['transformers_share_of_best_product']:13.1%}")
    print("share: model FLOPs (causal attention by half) against the fastest matrix product measured in between, Longhaul's or "
          "LibTorch's")
    print(f"checkpoint: a save holds the run up for {stall['asynchronous_seconds'] * 1e3:.0f} ms in the background, "
          f"{stall['blocking_seconds'] * 1e3:.0f} ms at once ({stall['stall_ratio']:.1%})")
    pathlib.Path(arguments.output).write_text(json.dumps({"machine": platform.processor() or platform.machine(),
                                                          "rows": rows, "checkpoint": stall}, indent=2) + "\n")


if __name__ == "__main__":
    main()
