"""tools/test_gpu.py, the one command of a machine with a GPU, as far as one without can try it."""

import json
import pathlib
import re
import subprocess
import sys
import time

import pytest

from cli_support import PROGRAM, ROOT, run

sys.path.append(str(ROOT / "tools"))
import test_gpu as tool  # noqa: E402


def ended(process):
    """Within a few seconds: a killed process vanishes when somebody has waited for it."""
    for _ in range(50):
        status = pathlib.Path(f"/proc/{process}/stat")
        if not status.exists() or status.read_text().rsplit(")")[1].split()[0] == "Z":
            return True
        time.sleep(0.1)
    return False


def test_all_fits_into_its_time(monkeypatch):
    monkeypatch.setattr(tool, "SANITIZER", "/usr/bin/compute-sanitizer")
    assert sum(limit for _, limit, _ in tool.commands(pathlib.Path("build"))) <= tool.SECONDS


def test_without_a_gpu_it_says_so(tmp_path):
    done = subprocess.run([sys.executable, ROOT / "tools" / "test_gpu.py", "--build", tmp_path], capture_output=True, text=True,
                          env={"PATH": str(tmp_path)})
    assert done.returncode == 2 and "no GPU" in done.stderr


def test_the_sanitizer_gets_tests_that_exist():
    listed = run("--gtest_list_tests", f"--gtest_filter={':'.join(tool.SANITIZED)}", program=pathlib.Path(PROGRAM).with_name("test_ops")).stdout
    assert sum(line.startswith("  ") for line in listed.splitlines()) == len(tool.SANITIZED), listed


def test_a_doctor_that_finds_no_gpu_has_failed(tmp_path):
    """With a driver's list and nothing behind it, the program's own words; and those of one that works."""
    (tmp_path / "test-gpu").mkdir()
    (tmp_path / "nvidia-smi").write_text('#!/bin/sh\necho "580.1, Fake, 81559, 9.0, 00000000:01:00.0, GPU-1"\n')
    (tmp_path / "nvidia-smi").chmod(0o755)
    said = run("doctor", env={"PATH": f"{tmp_path}:/usr/bin:/bin", "CUDA_VISIBLE_DEVICES": ""}).stdout
    if "CUDA in this build      yes" in said:
        assert "LibTorch on GPUs" in said
    (tmp_path / "said").write_text(said)
    assert tool.run("doctor", 10, ["cat", tmp_path / "said"], tmp_path)["result"] == "failed: no usable GPU"
    assert tool.run("doctor", 10, ["echo", "GPU 0                   H100\nLibTorch on GPUs        works\nNCCL …"], tmp_path)["result"] == "passed"


def test_without_the_oracle_the_runs_take_this_python(tmp_path):
    assert tool.python(tmp_path) == [sys.executable]
    (tmp_path / ".deps/oracle/bin").mkdir(parents=True)
    (tmp_path / ".deps/oracle/bin/python").touch()
    assert tool.python(tmp_path) == ["scripts/oracle-python"]


@pytest.mark.parametrize("output, expected", [
    ("[==========] 5 tests ran.\n[  PASSED  ] 3 tests.\n[  SKIPPED ] 1 test, listed below:\n[  FAILED  ] 1 test, listed below:\n", (3, 1, 1)),
    ("..s\n2 passed, 1 skipped in 3.2s", (2, 0, 1)),
    ("1 failed, 4 passed in 9s", (4, 1, 0)),
    ("nothing that a test says", (0, 0, 0))])
def test_it_counts_tests(output, expected):
    found = tool.counts(output)
    assert (found["passed"], found["failed"], found["skipped"]) == expected


def test_it_runs_what_it_is_given_and_tells_how_it_went(monkeypatch, tmp_path, capsys):
    """With programs in the place of the tests: one is missing, one fails, one hangs, one takes all the time, and one comes too late."""
    shell = lambda text: ["bash", "-c", text]
    hangs = f"set -m; sleep 60 & echo $! > {tmp_path}/started; echo '7 passed'; wait"
    monkeypatch.setattr(tool, "commands", lambda build: [
        ("missing", 10, [tmp_path / "bin/llm-pretrain", "doctor"]),
        ("good", 10, shell(f"[ $LONGHAUL_BUILD_DIR = {build} ] && echo '3 passed'")), ("bad", 10, shell("echo '1 failed'; exit 3")),
        ("hangs", 2, shell(hangs)), ("skips", 10, shell("echo '2 skipped'")), ("slow", 1000, shell("exec sleep 1000")), ("late", 10, shell("true"))])
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\nexit 0\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(sys, "argv", ["test_gpu.py", "--build", str(tmp_path), "--seconds", "20"])
    with pytest.raises(SystemExit) as end:
        tool.main()
    assert end.value.code == 1
    results = {r["name"]: r for r in json.loads((tmp_path / "test-gpu.json").read_text())}
    assert results["missing"]["result"].startswith("not started: ") and "bin/llm-pretrain" in results["missing"]["result"]
    assert results["good"]["result"] == "passed" and results["good"]["passed"] == 3
    assert results["bad"]["result"] == "failed (exit code 3)" and results["bad"]["failed"] == 1
    assert results["hangs"]["result"].startswith("not done in") and results["hangs"]["passed"] == 7
    started = int((tmp_path / "started").read_text())
    assert ended(started), "what a command started outlives its time"
    assert results["skips"]["result"] == "skipped"
    assert re.fullmatch(r"not done in \d+ s", results["slow"]["result"]) and results["late"]["result"] == "no time left"
    lines = capsys.readouterr().out.splitlines()
    assert len({len(line) for line in lines[:8]}) == 1 and "no time left" in lines[7]
