"""Training speed on one GPU: llm-pretrain beside `transformers` with torch.compile, and each kernel against its roof.

For each model and sequence length: tokens a second, share of the GPU's peak, memory and power; the peer on the same model and batch in
alternating runs. Prints tables, and writes a JSON file. Exits with 2 where there is no GPU. See scripts/bench.

Two shares of the peak (model FLOPs utilisation) are told: with the full square of attention's scores, as Megatron-LM counts, and with the
lower triangle, which is what is computed.
"""

import argparse
import contextlib
import json
import math
import os
import pathlib
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[1]
PEAK = 989.4e12  # dense BF16 of an H100 SXM, FLOP/s; a H200 has the same
WARMUP = 3         # steps that are not counted
LEAST_SECONDS = 5  # with less left nothing is started

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


def gpu_facts():
    """The GPU's name, memory and driver as nvidia-smi tells them; None without a GPU."""
    if shutil.which("nvidia-smi") is None:
        return None
    fields = "name,memory.total,driver_version,power.limit,clocks.max.sm"
    found = subprocess.run(["nvidia-smi", f"--id={first_gpu()}", f"--query-gpu={fields}", "--format=csv,noheader"], capture_output=True, text=True)
    lines = found.stdout.strip().splitlines()
    return dict(zip(fields.split(","), (cell.strip() for cell in lines[0].split(",")))) if found.returncode == 0 and lines else None


def first_gpu():
    """As nvidia-smi's --id wants it: an index or a UUID."""
    return os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0].strip() or "0"


class PowerMeter:
    """The GPU's power, which one nvidia-smi tells twice a second until the end; watts."""

    def __init__(self):
        self.samples = []
        command = ["nvidia-smi", f"--id={first_gpu()}", "--query-gpu=power.draw", "--format=csv,noheader,nounits", "--loop-ms=500"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self):
        for line in self._process.stdout:
            try:
                self.samples.append((time.monotonic(), float(line)))
            except ValueError:
                pass  # "[N/A]"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        self._thread.join()
        self._process.stdout.close()

    def mean(self, began, ended):
        values = [watts for when, watts in list(self.samples) if began <= when <= ended]
        return statistics.mean(values) if values else None


class Clock:
    """What is left of the time for everything together."""

    def __init__(self, seconds=None):
        self._end = math.inf if seconds is None else time.monotonic() + seconds

    def left(self):
        return self._end - time.monotonic()

    def limit(self, seconds):
        return min(seconds, self.left())

    def too_late(self):
        """Whether nothing that is worth starting would end in time."""
        return self.left() < LEAST_SECONDS


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


def late(arguments, limit, done):
    """What a run was that did not end in its time; where all of that is used up, it is nobody's fault."""
    return {"no_time": True} if arguments.clock.too_late() else {"error": f"{done} in {limit:.0f} s"}


def failed(log):
    text = log.read_text(errors="replace")
    return {"out_of_memory": True} if "out of memory" in text.lower() else {"error": text[-2000:] or "it said nothing"}


def ended(process):
    """Ends a process and what it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def run_ours(arguments, name, settings, folder):
    """The metrics of the steps. The run is ended after them, before it would write a checkpoint of many GB."""
    if arguments.clock.too_late():
        return {"no_time": True}
    command = [arguments.program, "pretrain", name, "data.mock=true", "trainer.precision=bf16", f"trainer.device={arguments.device}",
               "trainer.eval_every=0", "schedule.warmup_steps=0", f"trainer.max_steps={arguments.steps + 1000}", "checkpoint.every=0",
               f"trainer.run_dir={folder}", *settings]
    log, limit, begin = pathlib.Path(f"{folder}.log"), arguments.clock.limit(arguments.limit), None
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
        try:
            deadline = time.monotonic() + limit
            while True:
                metrics = read_metrics(pathlib.Path(folder) / "metrics.jsonl")
                if begin is None and len(metrics) >= WARMUP:
                    begin = time.monotonic()
                if len(metrics) >= arguments.steps:
                    break
                if process.poll() is not None:
                    return failed(log)
                if time.monotonic() > deadline:
                    return late(arguments, limit, f"{len(metrics)} steps")
                time.sleep(0.05)
            end = time.monotonic()
        finally:
            ended(process)
    metrics = metrics[:arguments.steps]
    return {"step_seconds": [m["step_seconds"] for m in metrics], "memory_bytes": max(m["memory_bytes"] for m in metrics),
            "losses": [m["loss"] for m in metrics], "watts": arguments.power(begin, end)}


def reference_environment():
    """Expandable segments, as Longhaul's allocator has them, unless the user says otherwise."""
    said = {"PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF"} & os.environ.keys()
    return os.environ | ({} if said else {"PYTORCH_ALLOC_CONF": "expandable_segments:True"})


def run_reference(arguments, recipe_file, micro, batch, length, plan):
    if arguments.clock.too_late():
        return {"no_time": True}
    command = [sys.executable, ROOT / "tools" / "bench_gpu_reference.py", recipe_file, "--micro", micro, "--global", batch, "--length", length,
               "--steps", arguments.steps, "--warmup", WARMUP, "--device", arguments.device]
    command += ["--eager"] if arguments.eager else []
    command += ["--backend", "aot_eager"] if arguments.dry_run else []  # as torch.compile sees the model, without a compiler
    command += ["--recompute"] if plan.get("recompute") else []
    log, limit = recipe_file.parent.with_suffix(".peer.log"), arguments.clock.limit(arguments.limit)
    with log.open("w") as errors:
        process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stderr=errors, text=True, env=reference_environment(),
                                   start_new_session=True)
        try:
            text = process.communicate(timeout=limit)[0]
        except subprocess.TimeoutExpired:
            return late(arguments, limit, "not done")
        finally:
            ended(process)
    if process.returncode != 0:
        return failed(log)
    try:
        run = json.loads(text.splitlines()[-1])
    except (IndexError, ValueError):
        return {"error": f"it ended without a result, and with {text[-200:]!r}"}
    return run | {"watts": arguments.power(run["began"], run["ended"])} if "step_seconds" in run else run


def rate_of(run, tokens):
    return tokens / statistics.median(run["step_seconds"][WARMUP:]) if "step_seconds" in run else None


def problem_of(run):
    if run.get("no_time"):
        return "no time left"
    if run.get("out_of_memory"):
        return "out of memory"
    return run["error"].strip().splitlines()[-1] if "error" in run else None


def empty_row(name, length, problem, **more):
    """A row of what was not measured."""
    return {"model": name, "length": length, "goal": None, "micro": None, "tokens_per_second": None, "peer_tokens_per_second": None,
            "memory_bytes": None, "peer_memory_bytes": None, "watts": None, "peer_watts": None, "peer_attention": None, "rounds": [], "problems": [problem], **more}


def ordered(models, lengths):
    """What has a goal comes first, and what takes longest last."""
    return sorted(((name, length) for name in models for length in lengths), key=lambda row: (row[0] == "llama3_8b", row[1]))


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
    problems = [f"{who}: {problem_of(run)}" for who, run in zip(("ours", "peer"), rounds[0]) if problem_of(run)]
    theirs_first = rounds[0][1]
    row |= {"tokens_per_second": statistics.median(ours) if ours else None, "peer_tokens_per_second": statistics.median(theirs) if theirs else None,
            "memory_bytes": first.get("memory_bytes"), "peer_memory_bytes": theirs_first.get("memory_bytes"), "watts": first.get("watts"),
            "peer_watts": theirs_first.get("watts"), "peer_attention": theirs_first.get("attention"), "rounds": rounds, "problems": problems,
            "versions": {key: theirs_first.get(key) for key in ("torch", "transformers")}}
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
    heads = ["model", "length", "micro-batch", "tokens/s", "MFU, full square", "MFU, causal", "goal", "memory, GiB", "power, W", "peer tokens/s", "ratio",
             "peer memory, GiB", "peer power, W", "peer attention"]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for row in rows:
        cells = [row["model"], row["length"], cell(row["micro"]), cell(row["tokens_per_second"]), cell(row.get("mfu"), "{:.1f} %", 100),
                 cell(row.get("mfu_causal"), "{:.1f} %", 100), row["goal"] or "–", cell(row["memory_bytes"], "{:.1f}", 2**-30),
                 cell(row["watts"]), cell(row["peer_tokens_per_second"]), cell(row.get("ratio"), "{:.2f}"), cell(row["peer_memory_bytes"], "{:.1f}", 2**-30),
                 cell(row["peer_watts"]), row["peer_attention"] or "–"]
        lines.append("| " + " | ".join(str(c) for c in cells) + " |")
    return "\n".join(lines + [f"{row['model']} at {row['length']}: {problem}" for row in rows for problem in row["problems"]])


def kernels(arguments, scratch):
    """What cuda_ops_bench measures, or why it does not."""
    if arguments.clock.too_late():
        return {"no_time": True}
    program, out = pathlib.Path(arguments.program).with_name("cuda_ops_bench"), pathlib.Path(scratch) / "kernels.json"
    limit = arguments.clock.limit(arguments.limit)
    if not program.exists():
        return {"error": f"{program} is not built"}
    try:
        done = subprocess.run([program, "--json", out], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace", timeout=limit)
        return json.loads(out.read_text()) if done.returncode == 0 else {"error": done.stderr.strip()[-2000:] or f"exit code {done.returncode}"}
    except subprocess.TimeoutExpired:
        return late(arguments, limit, "not done")
    except (OSError, ValueError) as error:
        return {"error": f"{program}: {error}"}


def kernel_table(found):
    problem = found.get("error", problem_of(found))
    if problem:
        return f"kernels: {problem}"
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
    parser.add_argument("--seconds", type=float, help="for everything together; rows for which none are left say so")
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--eager", action="store_true", help="the peer without torch.compile")
    parser.add_argument("--dry-run", action="store_true", help="all of it with a tiny model on the CPU: its figures mean nothing")
    arguments = parser.parse_args()
    if arguments.steps <= WARMUP:
        parser.error(f"--steps must be more than {WARMUP}")
    arguments.device = "cpu" if arguments.dry_run else "cuda"
    facts = gpu_facts()
    if arguments.dry_run:
        arguments.models, arguments.lengths = list(TINY), [64, 128]
    elif facts is None:
        print("no GPU: nvidia-smi is missing or lists none. --dry-run tries the rest of this benchmark on the CPU", file=sys.stderr)
        sys.exit(2)
    with contextlib.nullcontext() if arguments.dry_run else PowerMeter() as meter:
        arguments.power = meter.mean if meter else lambda *_: None
        report = measure_all(arguments, facts)
    print(table(report["rows"]))
    if report["kernels"]:
        print("\n" + kernel_table(report["kernels"]))
    sys.exit(1 if report["failed"] else 0)


def measure_all(arguments, facts):
    """The report, which is written whenever there is more of it."""
    report = {"gpu": facts, "dry_run": arguments.dry_run, "peak_flops_per_second": PEAK, "machine": platform.platform(), "kernels": None, "rows": [],
              "failed": False}
    arguments.clock = Clock(arguments.seconds)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="longhaul-bench-") as scratch:
        if arguments.device == "cuda":  # quick, and tells most where something is slow
            report["kernels"] = kernels(arguments, scratch)
            report["failed"] = any("error" in found for found in (report["kernels"], *report["kernels"].get("kernels", [])))
        arguments.output.write_text(json.dumps(report, indent=1))
        for name, length in ordered(arguments.models, arguments.lengths):
            row = whole_row(arguments, name, length, scratch)
            report["rows"].append(row)
            report["failed"] |= "failure" in row or any("error" in side for pair in row["rounds"] for side in pair)
            arguments.output.write_text(json.dumps(report, indent=1))
            print(f"  {name} at {length}: {cell(row['tokens_per_second'])} tokens/s, peer {cell(row['peer_tokens_per_second'])}", file=sys.stderr)
    return report


def whole_row(arguments, name, length, scratch):
    """A row whatever happens: the others are worth having."""
    if arguments.clock.too_late():
        return empty_row(name, length, "no time left")
    try:
        return measure(arguments, name, (MODELS | TINY)[name], length, scratch)
    except Exception as error:
        return empty_row(name, length, f"not measured: {error!r}", failure=traceback.format_exc())


if __name__ == "__main__":
    main()
