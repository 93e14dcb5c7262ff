"""Whole runs on a GPU: against the CPU, resumed, offloaded, profiled, and over several NCCL ranks on one GPU.

Without a GPU every test skips and says so. scripts/test-gpu runs these with all else that wants a GPU.
"""

import json
import os
import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("LONGHAUL_BUILD_DIR", ROOT / "build"))
PROGRAM = BUILD / "bin" / "llm-pretrain"


# The end of a profile's row that has a rate: the share of the time, TFLOP/s, and what that is of the matmul rate. Other rows end with their share.
PRODUCT_ROW = r"[\d.]+ % +[\d.e+-]+ +\d+ %\n"


def gpus():
    if shutil.which("nvidia-smi") is None:
        return 0
    found = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True)
    return len(found.stdout.strip().splitlines()) if found.returncode == 0 else 0


pytestmark = pytest.mark.skipif(gpus() == 0, reason="no GPU: runs on GPUs were not tested")

# Dropout, documents of many lengths, clipping: what a run has.
COMMON = ["data.mock=true", "model.hidden_dropout=0.1", "schedule.warmup_steps=4", "trainer.eval_every=0", "checkpoint.every=0", "batch.global=8",
          "batch.micro=2"]
NO_DROPOUT = ["model.hidden_dropout=0", "model.attention_dropout=0"]
DROPOUT = ["model.hidden_dropout=0.1", "model.attention_dropout=0.1", "model.embedding_dropout=0.1"]
SMALL = ["model.hidden=256", "model.heads=4", "model.kv_heads=2", "model.ffn_hidden=768", "model.layers=4", "model.vocab_size=2048"]


def rank_environments(ranks):
    """What tells each of several ranks on one GPU who it is. NCCL refuses two ranks on one GPU, unless it takes them for those of different machines,
    with nothing but a network between them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"WORLD_SIZE": str(ranks), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1", "LONGHAUL_SHARE_GPUS": "1",
              "NCCL_P2P_DISABLE": "1", "NCCL_SHM_DISABLE": "1", "NCCL_IB_DISABLE": "1", "NCCL_SOCKET_IFNAME": "lo"}
    return [shared | {"RANK": str(rank), "NCCL_HOSTID": f"rank{rank}"} for rank in range(ranks)]


def exit_codes(started, seconds):
    """Of processes, when all have ended. None stands for one that had not in so many seconds, or 5 after another had failed, for which it
    may wait for ever."""
    deadline = time.monotonic() + seconds
    while True:
        codes = [process.poll() for process in started]
        if any(codes):
            deadline = min(deadline, time.monotonic() + 5)
        if None not in codes or time.monotonic() > deadline:
            return codes
        time.sleep(0.1)


def train(folder, *settings, recipe="llama_tiny", ranks=1, seconds=200):
    """The run's metrics, line by line. Several ranks find each other over TCP."""
    command = [PROGRAM, "pretrain", recipe, *COMMON, *settings, f"trainer.run_dir={folder}"]
    errors = [folder.with_name(f"{folder.name}.rank_{rank}.err") for rank in range(ranks)]
    started = []
    try:
        for environment, path in zip(rank_environments(ranks) if ranks > 1 else [{}], errors):
            with path.open("w") as output:
                started.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=output, env=os.environ | environment))
        codes = exit_codes(started, seconds)
    finally:
        for process in started:
            process.kill()
            process.wait()
    ends = ["had not ended" if code is None else f"exit code {code}" for code in codes]
    assert codes == [0] * ranks, "\n".join(f"rank {rank}: {end}\n{path.read_text()[-4000:]}" for rank, (end, path) in enumerate(zip(ends, errors)))
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def losses(metrics):
    return [step["loss"] for step in metrics]


@pytest.mark.parametrize("recipe", ["llama_tiny", "gpt_tiny", "nemotron_tiny"])
def test_fp32_follows_the_cpu_over_100_steps(tmp_path, recipe):
    settings = ["trainer.precision=fp32", "trainer.max_steps=100", "optimizer.lr=3e-4", "optimizer.min_lr=3e-5"]
    cpu = train(tmp_path / "cpu", *settings, "trainer.device=cpu", recipe=recipe)
    gpu = train(tmp_path / "gpu", *settings, "trainer.device=cuda", recipe=recipe)
    worst = max(abs(a - b) for a, b in zip(losses(cpu), losses(gpu), strict=True))
    assert worst < 1e-4, worst
    assert losses(gpu)[-1] < losses(gpu)[0] - 0.1  # it learns: the comparison says something


def test_bf16_follows_the_cpu_within_the_spread_of_seeds(tmp_path):
    settings = ["trainer.precision=bf16", "trainer.max_steps=100"]
    cpu = {seed: train(tmp_path / f"cpu{seed}", *settings, "trainer.device=cpu", f"trainer.seed={seed}") for seed in (1, 2, 3)}
    gpu = train(tmp_path / "gpu", *settings, "trainer.device=cuda", "trainer.seed=1")
    last = {seed: statistics.mean(losses(run)[-20:]) for seed, run in cpu.items()}
    spread = max(last.values()) - min(last.values())
    assert abs(statistics.mean(losses(gpu)[-20:]) - last[1]) < spread, (last, spread)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_resumed_run_has_the_same_bits(tmp_path, precision):
    settings = [f"trainer.precision={precision}", "trainer.device=cuda", "trainer.deterministic=true", "schedule.decay_steps=20"]
    whole = train(tmp_path / "whole", *settings, "trainer.max_steps=20")
    train(tmp_path / "parts", *settings, "trainer.max_steps=10")
    parts = train(tmp_path / "parts", *settings, "trainer.max_steps=20")
    for key in ("loss", "grad_norm"):
        assert [step[key] for step in whole] == [step[key] for step in parts]


@pytest.mark.parametrize("settings", [["recompute.mode=selective"], ["recompute.mode=full"], ["recompute.mode=full", "recompute.offload=true"]],
                         ids=["selective", "full", "offloaded"])
@pytest.mark.parametrize("recipe", ["llama_tiny", "gpt_tiny"])
def test_recomputation_has_the_same_bits(tmp_path, settings, recipe):
    common = [*SMALL, "trainer.device=cuda", "trainer.deterministic=true", "trainer.max_steps=10", "trainer.precision=bf16"]
    plain, again = train(tmp_path / "plain", *common, recipe=recipe), train(tmp_path / "again", *common, *settings, recipe=recipe)
    assert losses(plain) == losses(again)


@pytest.mark.parametrize("dropout", [NO_DROPOUT, DROPOUT], ids=["plain", "dropout"])
@pytest.mark.parametrize("recipe, precision, mode", [("llama_tiny", "bf16", "none"), ("llama_tiny", "bf16", "selective"),
                                                     ("llama_tiny", "fp32", "full"), ("gpt_tiny", "bf16", "none")])
def test_cuda_graphs_have_the_same_bits(tmp_path, recipe, precision, mode, dropout):
    """With evaluations between the steps, whose tensors must not lie where a replay writes."""
    common = [*SMALL, *dropout, "trainer.device=cuda", "trainer.deterministic=true", "trainer.max_steps=8", "trainer.eval_every=3",
              "trainer.eval_steps=1", f"trainer.precision={precision}", f"recompute.mode={mode}"]
    plain = train(tmp_path / "plain", *common, recipe=recipe)
    graphs = train(tmp_path / "graphs", *common, "trainer.cuda_graphs=micro_batch", recipe=recipe)
    for key in ("loss", "grad_norm", "valid_loss"):
        assert [step.get(key) for step in plain] == [step.get(key) for step in graphs], key
    log = (tmp_path / "graphs" / "log.txt").read_text()
    assert log.count("recorded a CUDA graph") == 1 and "recorded a CUDA graph" not in (tmp_path / "plain" / "log.txt").read_text()


def test_an_offloaded_optimiser_follows_the_one_on_the_gpu(tmp_path):
    common = [*SMALL, "trainer.device=cuda", "trainer.max_steps=30", "trainer.precision=fp32"]
    plain, offloaded = train(tmp_path / "plain", *common), train(tmp_path / "offloaded", *common, "optimizer.offload=true")
    assert max(abs(a - b) for a, b in zip(losses(plain), losses(offloaded), strict=True)) < 1e-4


@pytest.mark.parametrize("mode", ["none", "selective", "full"])
def test_memory_is_as_estimated(tmp_path, mode):
    train(tmp_path / "run", *SMALL, "model.hidden=1024", "model.ffn_hidden=2816", "model.heads=16", "model.kv_heads=8", "model.layers=8",
          "model.vocab_size=32000", "model.max_positions=1024", "data.sequence_length=1024", "batch.micro=8", "model.hidden_dropout=0",
          "trainer.device=cuda", "trainer.precision=bf16", "trainer.max_steps=3", "schedule.warmup_steps=0", f"recompute.mode={mode}")
    told = re.search(r"at the peak: estimated .*, measured .* \(([+-][\d.]+) %", (tmp_path / "run" / "log.txt").read_text())
    assert abs(float(told[1])) < 5, told[0]


def test_a_profile_shows_kernels(tmp_path):
    train(tmp_path / "run", *SMALL, "trainer.device=cuda", "trainer.precision=bf16", "trainer.max_steps=6", "trainer.profile=5..6")
    events = json.loads((tmp_path / "run/profile/steps_5-6.rank_0.json").read_text())["traceEvents"]
    assert {"kernel", "cpu_op", "user_annotation"} <= {event.get("cat") for event in events}
    log = (tmp_path / "run" / "log.txt").read_text()
    table = log[log.index("profile of steps 5-6"):]
    assert "on the GPU" in table and "idle" in table and "of the matmul rate" in table
    assert re.search(PRODUCT_ROW, table), "no matrix product knows its work"


LAYOUTS = {"TP2": (2, ["parallel.tensor=2"]), "PP2": (2, ["parallel.pipeline=2"]), "DP2-ZeRO1": (2, ["parallel.sharding=optimizer"]),
           "TP2xPP2": (4, ["parallel.tensor=2", "parallel.pipeline=2"])}
RANKS = ["trainer.precision=fp32", "trainer.max_steps=10", *NO_DROPOUT]  # settings of the runs of several ranks


@pytest.fixture(scope="module")
def one_rank(tmp_path_factory):
    return train(tmp_path_factory.mktemp("ranks") / "one", *RANKS, "trainer.device=cuda")


@pytest.mark.parametrize("ranks, layout", LAYOUTS.values(), ids=LAYOUTS)
def test_nccl_ranks_on_one_gpu_follow_one_rank(tmp_path, one_rank, ranks, layout):
    several = train(tmp_path / "several", *RANKS, "trainer.device=cuda", *layout, ranks=ranks)
    assert max(abs(a - b) for a, b in zip(losses(one_rank), losses(several), strict=True)) < 1e-4
    assert json.loads((tmp_path / "several" / "environment.json").read_text())["nccl"] > 0
