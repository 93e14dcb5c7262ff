"""Training speed on one GPU: llm-pretrain beside `transformers` with torch.compile, and each kernel against its roof.

For each model and sequence length: tokens a second, share of the GPU's peak, memory and power; the peer on the same model and batch in
alternating runs. Prints tables, and writes a JSON file. Exits with 2 where there is no GPU. See scripts/bench.

Two shares of the peak (model FLOPs utilisation) are told: with the full square of attention's scores, as Megatron-LM counts, and with the
lower triangle, which is what is computed.
"""

import argparse
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
PEAK = 989.4e12  # dense BF16 of an H100 SXM, FLOP/s; a H200 has the same
WARMUP = 3       # steps that are not counted

# Settings by model; the micro-batch at sequences of 2048 halves with each doubling, and again where memory does not suffice.
MODELS = {
    "llama32_1b": {"tokens": 16384},
    "tinyllama_1b": {"tokens": 16384},
    "llama_1_5b": {"tokens": 16384},
    "llama3_8b": {"tokens": 8192, "settings": ["optimizer.offload=true", "recompute.mode=full", "parallel.context=1",
                                               "parallel.sharding=none"], "recompute": True},
}
TINY = {"llama_tiny": {"tokens": 256}}
GOALS = {"llama32_1b": "72,000 tokens/s", "tinyllama_1b": "80,000 tokens/s", "llama_1_5b": "60 %"}


def no_library_path():
    return {key: value for key, value in os.environ.items() if key != "LD_LIBRARY_PATH"}


def gpu_facts():
    """The first GPU's name, memory and driver as nvidia-smi tells them; None without a GPU."""
    if shutil.which("nvidia-smi") is None:
        return None
    fields = "name,memory.total,driver_version,power.limit,clocks.max.sm"
    found = subprocess.run(["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader"], capture_output=True, text=True)
    lines = found.stdout.strip().splitlines()
    return dict(zip(fields.split(","), (cell.strip() for cell in lines[0].split(",")))) if found.returncode == 0 and lines else None


class PowerMeter:
    """The GPU's power, sampled twice a second until told to stop; watts."""

    def __init__(self, enabled):
        self.samples, self._stop = [], threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True) if enabled else None
        if self._thread:
            self._thread.start()

    def _sample(self):
        while not self._stop.wait(0.5):
            out = subprocess.run(["nvidia-smi", "--id=0", "--query-gpu=power.draw", "--format=csv,noheader,nounits"], capture_output=True,
                                 text=True).stdout
            try:
                self.samples.append((time.monotonic(), float(out)))
            except ValueError:
                pass

    def mean_since(self, begin):
        self._stop.set()
        if self._thread:
            self._thread.join()
        values = [watts for when, watts in self.samples if when >= begin]
        return statistics.mean(values) if values else None


def flops_per_token(model, length, causal):
    """Forward and backward, as ModelConfig::flops_per_token counts."""
    head = model["head_dim"] or model["hidden"] // model["heads"]
    attention = model["hidden"] * (2 * model["heads"] + 2 * model["kv_heads"]) * head
    mlp = (3 if model["gated"] else 2) * model["hidden"] * model["ffn_hidden"]
    weights = model["layers"] * (attention + mlp) + model["vocab_size"] * model["hidden"]
    return 6 * weights + (6 if causal else 12) * model["layers"] * model["heads"] * head * length


def read_metrics(path):
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return []
    metrics = []
    for line in lines:
        try:
            metrics.append(json.loads(line))
        except ValueError:
            break  # it is being written
    return metrics


def run_ours(arguments, name, settings, folder):
    """The metrics of the steps. The run is ended after them, before it would write a checkpoint of many GB."""
    command = [arguments.program, "pretrain", name, "data.mock=true", "trainer.precision=bf16", f"trainer.device={arguments.device}",
               "trainer.eval_every=0", "schedule.warmup_steps=0", f"trainer.max_steps={arguments.steps + 1000}", "checkpoint.every=0",
               f"trainer.run_dir={folder}", *settings]
    log = pathlib.Path(f"{folder}.log")
    meter = PowerMeter(arguments.device == "cuda")
    begin = None
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=no_library_path())
        try:
            deadline = time.monotonic() + arguments.limit
            while True:
                metrics = read_metrics(pathlib.Path(folder) / "metrics.jsonl")
                if begin is None and len(metrics) >= WARMUP:
                    begin = time.monotonic()
                if len(metrics) >= arguments.steps:
                    break
                if process.poll() is not None:
                    text = log.read_text()
                    return {"out_of_memory": True} if "out of memory" in text.lower() else {"error": text[-2000:]}
                if time.monotonic() > deadline:
                    return {"error": f"{len(metrics)} steps in {arguments.limit} s"}
                time.sleep(0.05)
        finally:
            process.kill()
            process.wait()
    metrics = metrics[:arguments.steps]
    return {"step_seconds": [m["step_seconds"] for m in metrics], "memory_bytes": max(m["memory_bytes"] for m in metrics),
            "losses": [m["loss"] for m in metrics], "watts": meter.mean_since(begin or 0)}


def run_reference(arguments, recipe_file, micro, batch, length, plan):
    command = [sys.executable, ROOT / "tools" / "bench_gpu_reference.py", recipe_file, "--micro", micro, "--global", batch, "--length", length,
               "--steps", arguments.steps, "--device", arguments.device]
    command += ["--eager"] if arguments.eager else []
    command += ["--recompute"] if plan.get("recompute") else []
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if result.returncode != 0:
        return {"error": result.stderr[-2000:]}
    return json.loads(result.stdout.splitlines()[-1])


def rate_of(run, tokens):
    return tokens / statistics.median(run["step_seconds"][WARMUP:]) if "step_seconds" in run else None


def measure(arguments, name, plan, length, scratch):
    """One row. The micro-batch is halved until ours fits; the peer gets the same, and may not fit."""
    micro = max(1, plan["tokens"] // length)
    batch = micro * arguments.micro_batches
    row = {"model": name, "length": length, "goal": GOALS.get(name) if length == 2048 else None, "rounds": []}
    while True:
        settings = [f"data.sequence_length={length}", f"model.max_positions={length}", f"batch.global={batch}", f"batch.micro={micro}",
                    *plan.get("settings", [])]
        folder = f"{scratch}/{name}-{length}-{micro}"
        first = run_ours(arguments, name, settings, folder)
        if not first.get("out_of_memory") or micro == 1:
            break
        micro //= 2
    recipe_file = pathlib.Path(folder) / "config.json"  # with all defaults; it is there if the run got as far as its model
    peer_runs = not arguments.no_peer and recipe_file.exists()
    row |= {"micro": micro, "global": batch, "settings": settings}

    def peer():
        return run_reference(arguments, recipe_file, micro, batch, length, plan) if peer_runs else {}

    rounds = [(first, peer())]
    for i in range(1, arguments.rounds if "step_seconds" in first else 1):
        ours = run_ours(arguments, name, settings, f"{folder}-{i}")
        rounds.append((ours, peer()))
    tokens = batch * length
    ours, theirs = ([rate for rate in (rate_of(run[side], tokens) for run in rounds) if rate] for side in (0, 1))
    problems = [f"{who}: {'out of memory' if run.get('out_of_memory') else run['error'].strip().splitlines()[-1]}"
                for who, run in zip(("ours", "peer"), rounds[0]) if run.get("out_of_memory") or "error" in run]
    row |= {"tokens_per_second": statistics.median(ours) if ours else None, "peer_tokens_per_second": statistics.median(theirs) if theirs else None,
            "memory_bytes": first.get("memory_bytes"), "peer_memory_bytes": rounds[0][1].get("memory_bytes"), "watts": first.get("watts"),
            "rounds": rounds, "problems": problems, "versions": {key: rounds[0][1].get(key) for key in ("torch", "transformers")}}
    if ours:
        model = json.loads(recipe_file.read_text())["model"]
        row["mfu"] = row["tokens_per_second"] * flops_per_token(model, length, causal=False) / PEAK
        row["mfu_causal"] = row["tokens_per_second"] * flops_per_token(model, length, causal=True) / PEAK
    if ours and theirs:
        row["ratio"] = row["tokens_per_second"] / row["peer_tokens_per_second"]
    return row


def cell(value, form="{:,.0f}", scale=1):
    return form.format(value * scale) if value is not None else "–"


def table(rows):
    lines = ["| model | length | micro-batch | tokens/s | MFU, full square | MFU, causal | memory, GiB | power, W | peer tokens/s | ratio | peer memory, GiB |",
             "|---|---|---|---|---|---|---|---|---|---|---|"]
    for row in rows:
        cells = [row["model"], row["length"], row["micro"], cell(row["tokens_per_second"]), cell(row.get("mfu"), "{:.1f} %", 100),
                 cell(row.get("mfu_causal"), "{:.1f} %", 100), cell(row["memory_bytes"], "{:.1f}", 2**-30), cell(row["watts"]),
                 cell(row["peer_tokens_per_second"]), cell(row.get("ratio"), "{:.2f}"), cell(row["peer_memory_bytes"], "{:.1f}", 2**-30)]
        lines.append("| " + " | ".join(str(c) for c in cells) + " |")
    return "\n".join(lines + [f"{row['model']} at {row['length']}: {problem}" for row in rows for problem in row["problems"]])


def kernels(arguments, scratch):
    """What cuda_ops_bench measures; None where it is not built, or there is no GPU."""
    program, out = pathlib.Path(arguments.program).with_name("cuda_ops_bench"), pathlib.Path(scratch) / "kernels.json"
    if arguments.device != "cuda" or not program.exists():
        return None
    subprocess.run([program, "--json", out], check=True, stdout=subprocess.DEVNULL, env=no_library_path())
    return json.loads(out.read_text())


def kernel_table(found):
    lines = [f"copy {found['copy_bytes_per_second'] / 1e9:,.0f} GB/s, products {found['matmul_flops_per_second'] / 1e12:,.0f} TFLOP/s",
             "| kernel | microseconds | share of its roof |", "|---|---|---|"]
    rows = [f"| {k['name']} | failed: {k['error']} | – |" if "error" in k else f"| {k['name']} | {1e6 * k['seconds']:,.1f} | {100 * k['share']:.0f} % |"
            for k in found["kernels"]]
    return "\n".join(lines + rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--program", default=str(ROOT / "build" / "bin" / "llm-pretrain"))
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "build" / "bench-gpu.json")
    parser.add_argument("--models", nargs="+", choices=[*MODELS, *TINY], default=list(MODELS))
    parser.add_argument("--lengths", nargs="+", type=int, default=[2048, 4096, 8192])
    parser.add_argument("--steps", type=int, default=13, help=f"of each run; the first {WARMUP} are not counted")
    parser.add_argument("--micro-batches", type=int, default=4, help="of a step, at the first try")
    parser.add_argument("--rounds", type=int, default=1, help="alternating runs of ours and the peer")
    parser.add_argument("--limit", type=float, default=600, help="seconds that a run may take")
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--eager", action="store_true", help="the peer without torch.compile")
    parser.add_argument("--dry-run", action="store_true", help="all of it with a tiny model on the CPU: its figures mean nothing")
    arguments = parser.parse_args()
    if arguments.steps <= WARMUP:
        parser.error(f"--steps must be more than {WARMUP}")
    arguments.device = "cpu" if arguments.dry_run else "cuda"
    facts = gpu_facts()
    if arguments.dry_run:
        arguments.models, arguments.lengths, arguments.eager = list(TINY), [64, 128], True
    elif facts is None:
        print("no GPU: nvidia-smi is missing or lists none. --dry-run tries the rest of this benchmark on the CPU", file=sys.stderr)
        sys.exit(2)
    report = {"gpu": facts, "dry_run": arguments.dry_run, "peak_flops_per_second": PEAK, "machine": platform.platform(), "rows": [], "kernels": None}
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="longhaul-bench-") as scratch:
        for name in arguments.models:
            for length in arguments.lengths:
                row = measure(arguments, name, (MODELS | TINY)[name], length, scratch)
                report["rows"].append(row)
                arguments.output.write_text(json.dumps(report, indent=1))  # what there is, should time run out
                print(f"  {name} at {length}: {cell(row['tokens_per_second'])} tokens/s, peer {cell(row['peer_tokens_per_second'])}", file=sys.stderr)
        report["kernels"] = kernels(arguments, scratch)
    arguments.output.write_text(json.dumps(report, indent=1))
    print(table(report["rows"]))
    if report["kernels"]:
        print("\n" + kernel_table(report["kernels"]))
    sys.exit(1 if any("error" in side for row in report["rows"] for pair in row["rounds"] for side in pair) else 0)


if __name__ == "__main__":
    main()
