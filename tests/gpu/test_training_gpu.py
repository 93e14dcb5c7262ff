"""Whole runs on a GPU: against the CPU, resumed, offloaded, profiled, and over several NCCL ranks on one GPU.

Without a GPU every test skips and says so. scripts/test-gpu runs these with all else that wants a GPU.
"""

import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("LONGHAUL_BUILD_DIR", ROOT / "build"))
PROGRAM = BUILD / "bin" / "llm-pretrain"


def gpus():
    if shutil.which("nvidia-smi") is None:
        return 0
    found = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True)
    return len(found.stdout.strip().splitlines()) if found.returncode == 0 else 0


pytestmark = pytest.mark.skipif(gpus() == 0, reason="no GPU: runs on GPUs were not tested")

# Dropout, documents of many lengths, clipping: what a run has.
COMMON = ["data.mock=true", "model.hidden_dropout=0.1", "schedule.warmup_steps=4", "trainer.eval_every=0", "checkpoint.every=0", "batch.global=8",
          "batch.micro=2"]
SMALL = ["model.hidden=256", "model.heads=4", "model.kv_heads=2", "model.ffn_hidden=768", "model.layers=4", "model.vocab_size=2048"]


def train(folder, *settings, recipe="llama_tiny", launcher=(), environment=None):
    """The run's metrics, line by line."""
    clean = {key: value for key, value in os.environ.items() if key != "LD_LIBRARY_PATH"} | (environment or {})
    done = subprocess.run([*launcher, PROGRAM, "pretrain", recipe, *COMMON, *settings, f"trainer.run_dir={folder}"], capture_output=True, text=True,
                          env=clean, timeout=280)
    assert done.returncode == 0, done.stderr[-4000:]
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
def test_recomputation_has_the_same_bits(tmp_path, settings):
    common = [*SMALL, "trainer.device=cuda", "trainer.deterministic=true", "trainer.max_steps=10", "trainer.precision=bf16"]
    assert losses(train(tmp_path / "plain", *common)) == losses(train(tmp_path / "again", *common, *settings))


@pytest.mark.parametrize("precision, mode", [("bf16", "none"), ("bf16", "selective"), ("fp32", "full")])
def test_cuda_graphs_have_the_same_bits(tmp_path, precision, mode):
    """With evaluations between the steps, whose tensors must not lie where a replay writes."""
    common = [*SMALL, "model.hidden_dropout=0", "trainer.device=cuda", "trainer.deterministic=true", "trainer.max_steps=8", "trainer.eval_every=3",
              "trainer.eval_steps=1", f"trainer.precision={precision}", f"recompute.mode={mode}"]
    plain, graphs = train(tmp_path / "plain", *common), train(tmp_path / "graphs", *common, "trainer.cuda_graphs=micro_batch")
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
    assert re.search(r"\d+ %\n", table), "no matrix product knows its work"


@pytest.mark.parametrize("ranks, layout", [(2, ["parallel.tensor=2"]), (2, ["parallel.pipeline=2"]), (2, ["parallel.sharding=optimizer"]),
                                           (4, ["parallel.tensor=2", "parallel.pipeline=2"])], ids=["TP2", "PP2", "DP2-ZeRO1", "TP2xPP2"])
def test_nccl_ranks_on_one_gpu_follow_one_rank(tmp_path, ranks, layout):
    """NCCL refuses two ranks on one GPU, unless it takes them for those of different machines."""
    settings = ["trainer.device=cuda", "trainer.precision=fp32", "trainer.max_steps=10", "model.hidden_dropout=0"]
    one = train(tmp_path / "one", *settings)
    hostid = 'export NCCL_HOSTID="rank$OMPI_COMM_WORLD_RANK"; exec "$0" "$@"'
    launcher = ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", str(ranks), "bash", "-c", hostid]
    environment = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "LONGHAUL_SHARE_GPUS": "1", "NCCL_P2P_DISABLE": "1",
                   "NCCL_SHM_DISABLE": "1", "NCCL_IB_DISABLE": "1", "NCCL_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    several = train(tmp_path / "several", *settings, *layout, launcher=launcher, environment=environment)
    assert max(abs(a - b) for a, b in zip(losses(one), losses(several), strict=True)) < 1e-4
    assert json.loads((tmp_path / "several" / "environment.json").read_text())["nccl"] > 0
