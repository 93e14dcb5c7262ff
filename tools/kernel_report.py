"""What nvcc made of the CUDA kernels: registers, spills, shared memory, and how wide each reads and writes global memory.

    scripts/oracle-python tools/kernel_report.py [LIBRARY] [--arch sm_90a] [--match TEXT]

Needs no GPU: it reads the machine code in build/lib/liblonghaul.so with NVIDIA's cuobjdump. A kernel that moves packs of 16 bytes has
global accesses of 128 bits; narrower ones cost it the memory's speed, and nothing but the machine code shows them.
"""

import argparse
import collections
import os
import pathlib
import re
import shutil
import subprocess
import sys
import sysconfig

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD = pathlib.Path(os.environ.get("LONGHAUL_BUILD_DIR", ROOT / "build"))
REGISTERS, THREADS = 65536, 2048  # of a multiprocessor
# To global memory, or, of an address that may be shared memory's as well, to either.
MEMORY = re.compile(r"(LDG|STG|LD|ST)\.E(?:\.\w+)*")
INSTRUCTION = re.compile(r"/\*[0-9a-f]{4,5}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9_.]*)")


def cuobjdump():
    """(program, environment): from NVIDIA's wheels, which scripts/setup --test installs, or from a toolkit; None where there is none."""
    wheel = pathlib.Path(sysconfig.get_paths()["purelib"]) / "nvidia" / "cu13" / "bin"
    for folder in (wheel, pathlib.Path("/usr/local/cuda/bin")):
        if (folder / "cuobjdump").exists() and (folder / "nvdisasm").exists():
            return str(folder / "cuobjdump"), str(folder)
    found = shutil.which("cuobjdump")
    return (found, str(pathlib.Path(found).parent)) if found else None


def output_of(library, architecture, *options):
    program, folder = cuobjdump()
    done = subprocess.run([program, "-arch", architecture, *options, library], capture_output=True, text=True,
                          env={"PATH": f"{folder}:/usr/local/bin:/usr/bin:/bin"})
    if done.returncode != 0:
        raise RuntimeError(f"cuobjdump of {library} failed: {done.stderr.strip()}")
    return done.stdout


def readable(names):
    """gated_forward_kernel<silu, __nv_bfloat16, 8> of each mangled name."""
    plain = subprocess.run(["c++filt"], input="\n".join(names), capture_output=True, text=True, check=True).stdout.splitlines()
    activations = ["gelu_erf", "gelu_tanh", "silu", "squared_relu", "relu"]  # Activation's order
    tidy = []
    for name in plain:
        name = re.sub(r"^void |\(anonymous namespace\)::|longhaul::ops::cuda::|longhaul::ops::", "", name)
        name = re.sub(r"\(longhaul::Activation\)(\d)", lambda match: activations[int(match[1])], name)
        tidy.append(re.sub(r"\((?!.*>).*\)$", "", name))
    return tidy


def kernels(library, architecture="sm_90a"):
    """Of each kernel: name, file, registers, stack, shared, instructions, and counts of its loads and stores by bits."""
    usage = {}
    for name, resources in re.findall(r"Function (\S+):\n\s*(.*)", output_of(library, architecture, "-res-usage")):
        usage[name] = {key.lower(): int(value) for key, value in re.findall(r"(\w+)(?:\[\d+\])?:(\d+)", resources)}
    found = []
    for part in re.split(r"\n\s*Function : ", output_of(library, architecture, "-sass"))[1:]:
        mangled, code = part.split("\n", 1)
        loads, stores, local, instructions = collections.Counter(), collections.Counter(), 0, 0
        for instruction in INSTRUCTION.findall(code):
            instructions += 1
            local += instruction.startswith(("LDL", "STL"))
            if MEMORY.fullmatch(instruction):
                bits = re.search(r"\.(?:[US])?(8|16|64|128)(?=\.|$)", instruction)
                (loads if instruction.startswith("LD") else stores)[int(bits[1]) if bits else 32] += 1
        file = re.search(r"GLOBAL__N__[0-9a-f]+_\d+_(\w+?)_cu_", mangled)
        found.append({"mangled": mangled, "file": file[1] if file else "", "registers": usage[mangled]["reg"], "stack": usage[mangled]["stack"],
                      "shared": usage[mangled]["shared"], "instructions": instructions, "local": local, "loads": dict(loads), "stores": dict(stores)})
    for kernel, name in zip(found, readable([kernel["mangled"] for kernel in found])):
        kernel["name"] = name
    return sorted(found, key=lambda kernel: (kernel["file"], kernel["name"]))


def widths(counts):
    return " ".join(f"{count}×{bits}" for bits, count in sorted(counts.items(), reverse=True)) or "–"


def table(found):
    lines = [f"{'kernel':<68}{'registers':>10}{'threads/SM':>11}{'spills':>7}{'shared':>7}{'instructions':>13}  {'loads × bits':<22}stores × bits"]
    file = None
    for k in found:
        if k["file"] != file:
            file = k["file"]
            lines.append(f"{file}.cu")
        threads = min(THREADS, REGISTERS // (-(-k["registers"] // 8) * 8) // 32 * 32)
        lines.append(f"  {k['name']:<66}{k['registers']:>10}{threads:>11}{k['local']:>7}{k['shared']:>7}{k['instructions']:>13}  {widths(k['loads']):<22}"
                     f"{widths(k['stores'])}")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("library", nargs="?", type=pathlib.Path, default=BUILD / "lib" / "liblonghaul.so")
    parser.add_argument("--arch", default="sm_90a", help="sm_80 or sm_90a")
    parser.add_argument("--match", default="", help="kernels whose name has this in it, such as bfloat16")
    arguments = parser.parse_args()
    if not arguments.library.exists():
        sys.exit(f"{arguments.library} is missing: run scripts/build, or name another build's folder in LONGHAUL_BUILD_DIR")
    if cuobjdump() is None:
        sys.exit("cuobjdump is not here: scripts/setup --test installs NVIDIA's wheel of it; scripts/oracle-python finds that")
    found = [kernel for kernel in kernels(arguments.library, arguments.arch) if arguments.match in kernel["name"]]
    print(table(found) if found else f"no kernel for {arguments.arch} in {arguments.library}")


if __name__ == "__main__":
    main()
