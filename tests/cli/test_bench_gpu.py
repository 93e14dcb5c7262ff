"""scripts/bench gpu, as far as a machine without a GPU can try it."""

import json
import pathlib
import re
import subprocess
import sys
import time

import pytest

from cli_support import PROGRAM, ROOT, ok

sys.path.append(str(ROOT / "tools"))
import bench_gpu as tool  # noqa: E402

TOOL = ROOT / "tools" / "bench_gpu.py"
DRY_RUN = [sys.executable, TOOL, "--program", PROGRAM, "--dry-run", "--steps", "5", "--micro-batches", "2"]


def write_program(path, text):
    path.write_text(text)
    path.chmod(0o755)


def fake_nvidia_smi(folder, text):
    write_program(folder / "nvidia-smi", f"#!/bin/bash\n{text}\n")


def test_a_dry_run_goes_through_all_of_it(tmp_path):
    out = tmp_path / "bench.json"
    done = subprocess.run([*DRY_RUN, "--output", out], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(out.read_text())
    assert report["dry_run"] and [row["length"] for row in report["rows"]] == [64, 128]
    for row in report["rows"]:
        assert row["problems"] == [] and row["global"] == 2 * row["micro"] and row["micro"] * row["length"] == 256
        ours, peer = row["rounds"][0]
        assert len(ours["step_seconds"]) == len(peer["step_seconds"]) == 5
        assert row["ratio"] == pytest.approx(row["tokens_per_second"] / row["peer_tokens_per_second"])
        assert row["mfu"] > row["mfu_causal"] > 0
        assert row["peer_attention"] in peer["attention_trials"] and all(isinstance(s, float) for s in peer["attention_trials"].values())
        assert 0 < peer["ended"] - peer["began"] < sum(peer["step_seconds"])
        assert f"| {row['model']} | {row['length']} | {row['micro']} |" in done.stdout


def test_without_a_gpu_it_says_so(tmp_path):
    done = subprocess.run([sys.executable, TOOL, "--program", PROGRAM, "--output", tmp_path / "bench.json"], capture_output=True, text=True,
                          env={"PATH": str(tmp_path)})
    assert done.returncode == 2 and "no GPU" in done.stderr
    assert not (tmp_path / "bench.json").exists()


@pytest.mark.parametrize("name", ["llama32_1b", "tinyllama_1b", "llama_1_5b", "llama3_8b"])
def test_it_counts_flops_as_the_program_does(name):
    recipe = json.loads(ok("recipes", "show", name, "--file").stdout)
    shown = re.search(r"([\d.e+]+) GFLOP forward and backward \(full square of scores: ([\d.e+]+)\)", ok("recipes", "show", name).stdout)
    model = {"head_dim": 0, "gated": True} | recipe["model"]  # the file leaves out what is a Llama's default
    count = tool.flops_per_token
    for causal, text in [(True, shown[1]), (False, shown[2])]:
        assert count(model, recipe["data"]["sequence_length"], causal) / 1e9 == pytest.approx(float(text), rel=1e-3)


def test_a_model_that_does_not_fit_gets_smaller_micro_batches(monkeypatch, tmp_path):
    """Ours needs a micro-batch of 1, the peer does not fit at all."""
    tried = []

    def ours(arguments, name, settings, folder):
        micro = int(next(s for s in settings if s.startswith("batch.micro=")).split("=")[1])
        tried.append(micro)
        pathlib.Path(folder).mkdir()
        model = {"layers": 1, "hidden": 8, "heads": 1, "kv_heads": 1, "head_dim": 8, "gated": True, "ffn_hidden": 8, "vocab_size": 8}
        (pathlib.Path(folder) / "config.json").write_text(json.dumps({"model": model}))
        return {"out_of_memory": True} if micro > 1 else {"step_seconds": [9, 9, 9, 2.0, 2.0], "memory_bytes": 1, "watts": None}

    monkeypatch.setattr(tool, "run_ours", ours)
    monkeypatch.setattr(tool, "run_reference", lambda *_: {"out_of_memory": True})
    row = tool.measure(arguments(), "llama_tiny", {"tokens": 512}, 128, tmp_path)
    assert tried == [4, 2, 1] and row["micro"] == 1 and row["global"] == 8
    assert row["tokens_per_second"] == 8 * 128 / 2.0 and row["peer_tokens_per_second"] is None
    assert row["problems"] == ["peer: out of memory"] and "out of memory" in tool.table([row])


@pytest.mark.parametrize("seconds", ["0", "0.1"])
def test_without_time_every_row_says_so(tmp_path, seconds):
    out = tmp_path / "bench.json"
    done = subprocess.run([*DRY_RUN, "--output", out, "--seconds", seconds], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert [row["problems"] for row in json.loads(out.read_text())["rows"]] == [["no time left"]] * 2
    assert "llama_tiny at 128: no time left" in done.stdout


def test_the_table_shows_the_goal():
    rows = [tool.empty_row("llama32_1b", 2048, "measured", goal="72,000 tokens/s"), tool.empty_row("llama32_1b", 4096, "measured")]
    heads, _, *lines = [[cell.strip() for cell in line.split("|")] for line in tool.table(rows).splitlines()[:4]]
    assert [line[heads.index("goal")] for line in lines] == ["72,000 tokens/s", "–"] and {len(line) for line in lines} == {len(heads)}


def arguments(**more):
    return type("A", (), {"program": PROGRAM, "micro_batches": 2, "rounds": 1, "no_peer": False, "device": "cpu", "steps": 5, "limit": 600,
                          "eager": False, "dry_run": True, "clock": tool.Clock(), "power": lambda *_: None} | more)


def test_a_run_gets_what_time_is_left(monkeypatch, tmp_path):
    """Both sides hang: at the end of all time that is no fault, at the end of their own it is one."""
    hangs = tmp_path / "hangs"
    write_program(hangs, "#!/bin/bash\nsleep 100\n")
    monkeypatch.setattr(tool.sys, "executable", str(hangs))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text("{}")
    runs = [lambda a: tool.run_ours(a, "llama_tiny", [], tmp_path / "run"),
            lambda a: tool.run_reference(a, tmp_path / "run" / "config.json", 1, 1, 8, {})]
    for run in runs:
        assert run(arguments(program=str(hangs), clock=tool.Clock(6), limit=100)) == {"no_time": True}
        assert re.fullmatch("(0 steps|not done) in 1 s", run(arguments(program=str(hangs), limit=1))["error"])


def test_a_run_keeps_the_loaders_path(monkeypatch, tmp_path):
    """Where some machines have the driver."""
    program = tmp_path / "program"
    write_program(program, "#!/bin/bash\necho $LD_LIBRARY_PATH; exit 1\n")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/usr/local/nvidia/lib64")
    assert tool.run_ours(arguments(program=str(program)), "llama_tiny", [], tmp_path / "run") == {"error": "/usr/local/nvidia/lib64\n"}


def test_what_has_a_goal_comes_first():
    order = tool.ordered(list(tool.MODELS), [8192, 2048, 4096])
    assert [name for name, _ in order[:3]] == list(tool.GOALS) and {length for _, length in order[:3]} == {2048}
    assert [length for _, length in order[3:9]] == [4096] * 3 + [8192] * 3
    assert order[9:] == [("llama3_8b", length) for length in (2048, 4096, 8192)]


@pytest.mark.parametrize("visible, asked", [(None, "0"), ("2,1", "2"), ("GPU-abc", "GPU-abc"), ("", "0")])
def test_power_is_told_by_one_nvidia_smi_for_the_first_visible_gpu(monkeypatch, tmp_path, visible, asked):
    fake_nvidia_smi(tmp_path, f'echo "$$ $*" >> {tmp_path}/started; for watts in 100 200 "[N/A]" 600; do echo "$watts"; done; exec sleep 100')
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with tool.PowerMeter() as meter:
        deadline = time.monotonic() + 20
        while len(meter.samples) < 3 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert meter.mean(0, time.monotonic()) == 300 and meter.mean(0, 1) is None
    (process, *options), = [line.split() for line in (tmp_path / "started").read_text().splitlines()]
    assert f"--id={asked}" in options and "--loop-ms=500" in options
    assert not pathlib.Path(f"/proc/{process}").exists()


def test_a_row_and_kernels_that_fail_are_told_and_the_others_measured(monkeypatch, tmp_path, capsys):
    """On what says that it is a GPU, with a cuda_ops_bench that fails."""
    fake_nvidia_smi(tmp_path, 'case "$*" in *loop*) exec sleep 100 ;; *) echo "Fake, 1 MiB, 1, 700 W, 1980 MHz" ;; esac')
    bench = tmp_path / "cuda_ops_bench"
    write_program(bench, "#!/bin/bash\necho no such kernel >&2; exit 3\n")
    done = tool.empty_row("llama_tiny", 2048, "measured")

    def row(arguments, name, *_):
        if name == "tinyllama_1b":
            raise KeyError("broken")
        assert json.loads((tmp_path / "out.json").read_text())["kernels"] == {"error": "no such kernel"}  # first, and written at once
        return done | {"model": name}

    monkeypatch.setattr(tool, "measure", row)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(sys, "argv", ["bench_gpu.py", "--program", str(tmp_path / "llm-pretrain"), "--output", str(tmp_path / "out.json"),
                                      "--models", "tinyllama_1b", "llama32_1b", "--lengths", "2048"])
    with pytest.raises(SystemExit) as end:
        tool.main()
    assert end.value.code == 1
    out = capsys.readouterr().out
    for line in ("tinyllama_1b at 2048: not measured: KeyError('broken')", "llama32_1b at 2048: measured", "kernels: no such kernel"):
        assert line in out
    report = json.loads((tmp_path / "out.json").read_text())
    assert [row["model"] for row in report["rows"]] == ["tinyllama_1b", "llama32_1b"] and report["failed"]


@pytest.mark.parametrize("text, problem", [
    (None, "cuda_ops_bench is not built"), ("no program\0", "Exec format error"), ("#!/bin/bash\nexit 0\n", "No such file or directory"),
    ("#!/bin/bash\necho '{\"copy' > $2\n", "line 1 column 7"), ("#!/bin/bash\nexit 4\n", "exit code 4")],
    ids=["missing", "unknown format", "no file", "half a file", "no words"])
def test_kernels_that_could_not_be_measured(tmp_path, text, problem):
    if text is not None:
        write_program(tmp_path / "cuda_ops_bench", text)
    found = tool.kernels(arguments(program=tmp_path / "llm-pretrain"), tmp_path)
    assert problem in found["error"] and problem in tool.kernel_table(found)


def test_kernels_get_what_time_is_left(tmp_path):
    """At the end of all time that is no failure, as for a row."""
    write_program(tmp_path / "cuda_ops_bench", "#!/bin/bash\nexec sleep 100\n")
    of = lambda **more: tool.kernels(arguments(program=tmp_path / "llm-pretrain", **more), tmp_path)
    assert of(clock=tool.Clock(6), limit=100) == of(clock=tool.Clock(1)) == {"no_time": True}
    assert of(limit=1) == {"error": "not done in 1 s"}
    assert tool.kernel_table({"no_time": True}) == "kernels: no time left"


@pytest.mark.parametrize("words", ["", "half {"])
def test_a_peer_without_a_result_leaves_ours(monkeypatch, tmp_path, words):
    write_program(tmp_path / "python", f"#!/bin/bash\necho -n '{words}'\n")
    monkeypatch.setattr(tool.sys, "executable", str(tmp_path / "python"))
    (tmp_path / "run").mkdir()
    found = tool.run_reference(arguments(), tmp_path / "run" / "config.json", 1, 1, 8, {})
    assert found == {"error": f"it ended without a result, and with {words!r}"}


def test_one_kernel_that_fails_is_a_failure(monkeypatch, tmp_path, capsys):
    fake_nvidia_smi(tmp_path, 'case "$*" in *loop*) exec sleep 100 ;; *) echo "Fake, 1 MiB, 1, 700 W, 1980 MHz" ;; esac')
    found = {"copy_bytes_per_second": 1, "matmul_flops_per_second": 1, "kernels": [{"name": "norm", "error": "broken"}]}
    monkeypatch.setattr(tool, "kernels", lambda *_: found)
    monkeypatch.setattr(tool, "measure", lambda *_: tool.empty_row("llama32_1b", 2048, "measured"))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(sys, "argv", ["bench_gpu.py", "--output", str(tmp_path / "out.json"), "--models", "llama32_1b", "--lengths", "2048"])
    with pytest.raises(SystemExit) as end:
        tool.main()
    assert end.value.code == 1 and "| norm | failed: broken | – |" in capsys.readouterr().out


def test_the_peer_allocates_as_we_do(monkeypatch):
    for name in ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF"):
        monkeypatch.delenv(name, raising=False)
    assert tool.reference_environment()["PYTORCH_ALLOC_CONF"] == "expandable_segments:True"
    monkeypatch.setenv("PYTORCH_CUDA_ALLOC_CONF", "backend:native")
    assert "PYTORCH_ALLOC_CONF" not in tool.reference_environment()
