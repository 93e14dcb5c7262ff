"""What the parity tests share: where the programs are, and how they are run."""

import os
import pathlib
import subprocess

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("LONGHAUL_BUILD_DIR", REPOSITORY / "build"))


def run_tool(name, *arguments, input=None, check=True):
    """Runs a program of the build and returns what it printed; its errors become the test's."""
    result = subprocess.run([BUILD / "bin" / name, *map(str, arguments)], input=input, capture_output=True, text=True)
    if check:
        assert result.returncode == 0, f"{name} ended with {result.returncode}: {result.stderr[-2000:]}"
    return result
