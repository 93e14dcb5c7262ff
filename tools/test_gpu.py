"""Everything that a machine with a GPU should run once, in ten minutes at most: one table, one JSON file, one exit code.

Exit codes: 0: all passed; 1: something failed; 2: there is no GPU. See scripts/test-gpu.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
SECONDS = 600  # for all together
DOCTOR_SAYS = r"LibTorch on GPUs +works"  # src/cli/gpu_report.cpp; without it everything else would skip or fail
# Our own kernels on small inputs: those of the libraries, and large inputs, take minutes under compute-sanitizer.
SANITIZED = ["Types/CudaParity.Norm/BFloat16", "Types/CudaParity.Activation/BFloat16", "Types/CudaParity.Dropout/Float",
             "Types/CudaParity.Embedding/BFloat16", "Cuda.MainGradAddsUp", "Cuda.EmbeddingNamesAnIdOutsideTheTable", "Cuda.AWrongLabelIsNamed",
             "Cuda.AdamW"]
NOTHING = {"seconds": 0, "passed": 0, "failed": 0, "skipped": 0}  # of a line that was not run
SANITIZER = shutil.which("compute-sanitizer") or next(map(str, pathlib.Path("/usr/local").glob("cuda*/bin/compute-sanitizer")), None)


def commands(build):
    """(name, seconds that it may take, command). What matters most comes first; together they fit into --seconds as it is by default."""
    unit = "*Cuda*:*Nccl*:*Ras*:*Gpu*"
    listed = [("doctor", 90, [build / "bin/llm-pretrain", "doctor"]),  # it reads 2.5 GB of libraries, perhaps from a cold disk
              ("operators", 120, [build / "bin/test_ops", f"--gtest_filter={unit}"]),
              ("communicators", 40, [build / "bin/test_comm", f"--gtest_filter={unit}"]),
              ("runs", 260, [*python(), "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "tests/gpu"])]
    if SANITIZER:  # LibTorch asks CUDA what may fail: that is no error
        listed.append(("compute-sanitizer", 90, [SANITIZER, "--error-exitcode", "9", "--leak-check", "no", "--report-api-errors", "no",
                                                 build / "bin/test_ops", f"--gtest_filter={':'.join(SANITIZED)}"]))
    return listed


def python(root=ROOT):
    """The tests' own Python; where scripts/setup --test has not run, this one, which then needs pytest."""
    return ["scripts/oracle-python"] if (root / ".deps/oracle/bin/python").exists() else [sys.executable]


def has_gpu():
    try:
        return subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, timeout=30).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def counts(output):
    """How many tests passed, failed and were skipped, from GoogleTest's or pytest's last words."""
    found = {"passed": 0, "failed": 0, "skipped": 0}
    for word in found:
        for pattern in (rf"\[  {word.upper()} +\] (\d+) tests?", rf"(\d+) {word}"):
            match = re.findall(pattern, output)
            if match:
                found[word] = int(match[-1])
                break
    return found


def end_session(leader):
    """Ends all processes of a session, whatever process groups they have made in it."""
    for status in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            session = int(status.read_text().rsplit(")", 1)[1].split()[3])
            if session == leader:
                os.kill(int(status.parent.name), signal.SIGKILL)
        except (OSError, ValueError):
            pass  # it has ended meanwhile


def rest_of(process):
    try:
        return process.communicate(timeout=10)[0]
    except subprocess.TimeoutExpired as late:  # a process that waits within the kernel keeps the pipe
        return (late.output or b"").decode(errors="replace")


def run(name, limit, command, build):
    """One line of the table. The command has a session of its own, all of which ends with it: what it started would keep the GPU."""
    start, log = time.monotonic(), build / "test-gpu" / f"{name}.log"
    try:
        process = subprocess.Popen([str(word) for word in command], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                   errors="replace", env=os.environ | {"LONGHAUL_BUILD_DIR": str(build)}, start_new_session=True)
    except OSError as error:  # the build has no such program
        return {"name": name, "result": f"not started: {error}", **NOTHING}
    try:
        output, code = process.communicate(timeout=max(limit, 1))[0], process.returncode
    except subprocess.TimeoutExpired:
        end_session(process.pid)
        output, code = rest_of(process), "time"
    finally:
        end_session(process.pid)
    log.write_text(output)
    found = counts(output)
    result = "passed" if code == 0 else f"not done in {limit:.0f} s" if code == "time" else f"failed (exit code {code})"
    if code == 0 and found["skipped"] and not found["passed"]:
        result = "skipped"
    if code == 0 and name == "doctor" and not re.search(DOCTOR_SAYS, output):
        result = "failed: no usable GPU"
    return {"name": name, "result": result, "seconds": time.monotonic() - start, **found, "command": " ".join(map(str, command)), "log": str(log)}


def table(results):
    width = max([26, *(len(r["result"]) + 1 for r in results)])
    lines = [f"{'what':<20}{'result':<{width}}{'passed':>7}{'failed':>7}{'skipped':>8}{'seconds':>9}"]
    for r in results:
        lines.append(f"{r['name']:<20}{r['result']:<{width}}{r['passed']:>7}{r['failed']:>7}{r['skipped']:>8}{r['seconds']:>9.1f}")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build", help="the folder whose bin/ holds the programs")
    parser.add_argument("--output", type=pathlib.Path, help="a JSON file; by default test-gpu.json in the build folder")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for all together; what comes too late is not run")
    parser.add_argument("--only", nargs="+", help="names of the table")
    arguments = parser.parse_args()
    unknown = set(arguments.only or ()) - {name for name, _, _ in commands(arguments.build)}
    if unknown:
        parser.error(f"--only knows no {', '.join(sorted(unknown))}")
    if not has_gpu():
        print("no GPU: nvidia-smi is missing, hangs, or lists none. What wants a GPU was not tested", file=sys.stderr)
        sys.exit(2)
    build = arguments.build.resolve()
    (build / "test-gpu").mkdir(parents=True, exist_ok=True)
    output = arguments.output or build / "test-gpu.json"
    begin, results = time.monotonic(), []
    for name, limit, command in commands(build):
        if arguments.only and name not in arguments.only:
            continue
        left = arguments.seconds - (time.monotonic() - begin)
        if left < 5:
            results.append({"name": name, "result": "no time left", **NOTHING})
        else:
            print(f"  {name} …", file=sys.stderr)
            results.append(run(name, min(limit, left), command, build))
        output.write_text(json.dumps(results, indent=1))
    print(table(results))
    if SANITIZER is None:
        print("compute-sanitizer is not installed: memory errors of kernels were not looked for")
    sys.exit(0 if all(r["result"] == "passed" for r in results) else 1)


if __name__ == "__main__":
    main()
