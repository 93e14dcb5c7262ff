"""tools/kernel_report.py finds the library that it reads, or says where it looked. What it reads is tests/kernels' matter."""

import os
import subprocess
import sys

from cli_support import ROOT


def test_without_the_library_it_says_so(tmp_path):
    done = subprocess.run([sys.executable, ROOT / "tools" / "kernel_report.py"], capture_output=True, text=True,
                          env=os.environ | {"LONGHAUL_BUILD_DIR": str(tmp_path)})
    assert done.returncode == 1 and done.stderr.startswith(f"{tmp_path}/lib/liblonghaul.so is missing: run scripts/build")
