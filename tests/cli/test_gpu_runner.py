"""tools/test_gpu.py, the one command of a machine with a GPU, as far as one without can try it."""

import importlib.util
import json
import pathlib
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def load_tool():
    spec = importlib.util.spec_from_file_location("test_gpu", ROOT / "tools" / "test_gpu.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def ended(process):
    """Within a few seconds: a killed process vanishes when somebody has waited for it."""
    for _ in range(50):
        status = pathlib.Path(f"/proc/{process}/stat")
        if not status.exists() or status.read_text().rsplit(")")[1].split()[0] == "Z":
            return True
        time.sleep(0.1)
    return False


def test_all_fits_into_its_time(monkeypatch):
    tool = load_tool()
    monkeypatch.setattr(tool, "SANITIZER", "/usr/bin/compute-sanitizer")
    assert sum(limit for _, limit, _ in tool.commands(pathlib.Path("build"))) <= tool.SECONDS


def test_without_a_gpu_it_says_so(tmp_path):
    done = subprocess.run([sys.executable, ROOT / "tools" / "test_gpu.py", "--build", tmp_path], capture_output=True, text=True, env={"PATH": str(tmp_path)})
    assert done.returncode == 2 and "no GPU" in done.stderr


@pytest.mark.parametrize("output, expected", [
    ("[==========] 5 tests ran.\n[  PASSED  ] 3 tests.\n[  SKIPPED ] 1 test, listed below:\n[  FAILED  ] 1 test, listed below:\n", (3, 1, 1)),
    ("..s\n2 passed, 1 skipped in 3.2s", (2, 0, 1)),
    ("1 failed, 4 passed in 9s", (4, 1, 0)),
    ("nothing that a test says", (0, 0, 0))])
def test_it_counts_tests(output, expected):
    found = load_tool().counts(output)
    assert (found["passed"], found["failed"], found["skipped"]) == expected


def test_it_runs_what_it_is_given_and_tells_how_it_went(monkeypatch, tmp_path, capsys):
    """With programs in the place of the tests, one that fails, one that hangs, and one that comes too late."""
    tool = load_tool()
    shell = lambda text: ["bash", "-c", text]
    monkeypatch.setattr(tool, "commands", lambda build: [("good", 10, shell("echo '3 passed'")), ("bad", 10, shell("echo '1 failed'; exit 3")),
                                                         ("hangs", 2, shell(f"set -m; sleep 60 & echo $! > {tmp_path}/started; echo '7 passed'; wait")), ("skips", 10, shell("echo '2 skipped'")),
                                                         ("slow", 10, shell("sleep 1.5")), ("late", 10, shell("true"))])
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\nexit 0\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(sys, "argv", ["test_gpu.py", "--build", str(tmp_path), "--seconds", "8"])
    with pytest.raises(SystemExit) as end:
        tool.main()
    assert end.value.code == 1
    results = {r["name"]: r for r in json.loads((tmp_path / "test-gpu.json").read_text())}
    assert results["good"]["result"] == "passed" and results["good"]["passed"] == 3
    assert results["bad"]["result"] == "failed (exit code 3)" and results["bad"]["failed"] == 1
    assert results["hangs"]["result"].startswith("not done in") and results["hangs"]["passed"] == 7
    started = int((tmp_path / "started").read_text())
    assert ended(started), "what a command started outlives its time"
    assert results["skips"]["result"] == "skipped"
    assert results["slow"]["result"] == "passed" and results["late"]["result"] == "no time left"
    assert "no time left" in capsys.readouterr().out
