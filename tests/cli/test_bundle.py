"""scripts/bundle: the programs run on a machine that has a PyTorch and nothing else of theirs."""

import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys

import pytest

from cli_support import PROGRAM, ROOT

BUILD = pathlib.Path(PROGRAM).parents[1]
LIBTORCH = pathlib.Path(re.search(r"^LONGHAUL_TORCH_DIR:\w+=(.*)", (BUILD / "CMakeCache.txt").read_text(), re.MULTILINE)[1]).resolve().parent
SET_RPATH = [sys.executable, ROOT / "tools" / "set_rpath.py"]
# What the bundle leaves to the machine, its LibTorch and its CUDA.
MACHINE = re.compile(r"(linux-vdso|.*/ld-linux-x86-64|lib(c|m|dl|rt|pthread|util|stdc\+\+|gcc_s))\.so")
TORCHS = re.compile(r"lib(torch\w*|c10\w*|gomp|cudart|cupti)\.so")


def bundle(folder, **environment):
    return subprocess.run([ROOT / "scripts" / "bundle", folder], capture_output=True, text=True, timeout=120,
                          env=os.environ | {"LONGHAUL_BUILD_DIR": str(BUILD)} | environment)


def run(folder, *command, **environment):
    return subprocess.run([folder / "run", *map(str, command)], capture_output=True, text=True, timeout=120,
                          env=os.environ | {"LONGHAUL_TORCH_ROOT": str(LIBTORCH)} | environment)


@pytest.fixture(scope="module")
def bundled(tmp_path_factory):
    """Not where it was made: it has to find itself."""
    made = tmp_path_factory.mktemp("made") / "bundle"
    done = bundle(made)
    assert done.returncode == 0, done.stderr
    return made.rename(tmp_path_factory.mktemp("moved") / "elsewhere")


def test_every_library_is_the_bundles_the_machines_or_pytorchs(bundled):
    programs = sorted(path.name for path in (bundled / "bin").iterdir())
    assert {"llm-pretrain", "test_ops", "test_comm"} <= set(programs)
    libraries = {path.name for path in (bundled / "lib").iterdir()}
    assert not any(MACHINE.match(name) or TORCHS.match(name) for name in libraries)
    used = set()
    for program in programs:
        for line in run(bundled, "ldd", bundled / "bin" / program).stdout.splitlines():
            name, _, place = line.strip().partition(" => ")
            folder = pathlib.Path(place.split(" (")[0]).resolve().parent
            assert "not found" not in line and (MACHINE.match(name) or TORCHS.match(name) or folder == bundled / "lib"), line
            if re.match(r"lib(torch\w*|c10|gomp)\.so", name):
                assert folder == LIBTORCH / "torch" / "lib", line
            used.add(name)
    assert {"liblonghaul.so", "libmpi.so.40"} <= used and libraries <= used


def test_it_trains(bundled, tmp_path):
    assert run(bundled, "llm-pretrain", "--version").stdout.startswith("llm-pretrain ")
    done = run(bundled, "llm-pretrain", "pretrain", "llama_tiny", "trainer.device=cpu", "trainer.max_steps=2", "schedule.warmup_steps=0",
               f"trainer.run_dir={tmp_path / 'run'}", OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()) == 2


def test_it_finds_the_torch_of_this_machines_python(bundled):
    python = f"{ROOT / '.deps' / 'oracle' / 'bin'}:{os.environ['PATH']}"
    done = run(bundled, "bash", "-c", "echo $LD_LIBRARY_PATH; llm-pretrain --version", LONGHAUL_TORCH_ROOT="", PATH=python, LD_LIBRARY_PATH="/driver")
    assert done.returncode == 0, done.stderr
    path = done.stdout.splitlines()[0].split(":")
    assert pathlib.Path(path[0]).resolve() == LIBTORCH / "torch" / "lib" and path[-1] == "/driver"


def test_another_torch_or_none_is_refused(bundled, tmp_path):
    (tmp_path / "torch" / "lib").mkdir(parents=True)
    (tmp_path / "torch" / "lib" / "libtorch_cpu.so").touch()
    (tmp_path / "torch" / "version.py").write_text("__version__ = '2.10.0+cu130'\n")
    wanted = re.search(r"__version__ = '(.*)'", (LIBTORCH / "torch" / "version.py").read_text())[1]
    other = run(bundled, "llm-pretrain", "--version", LONGHAUL_TORCH_ROOT=str(tmp_path))
    assert other.returncode == 1 and "is torch 2.10.0+cu130, but these programs were built with torch " + wanted in other.stderr
    (tmp_path / "torch" / "version.py").unlink()
    unknown = run(bundled, "llm-pretrain", "--version", LONGHAUL_TORCH_ROOT=str(tmp_path))
    assert unknown.returncode == 1 and "torch/version.py is missing: set LONGHAUL_TORCH_ROOT" in unknown.stderr
    nowhere = run(bundled, "llm-pretrain", "--version", LONGHAUL_TORCH_ROOT=str(tmp_path / "none"))
    assert nowhere.returncode == 1 and "libtorch_cpu.so is missing: set LONGHAUL_TORCH_ROOT" in nowhere.stderr
    (tmp_path / "python3").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "python3").chmod(0o755)
    none = run(bundled, "llm-pretrain", "--version", LONGHAUL_TORCH_ROOT="", PATH=f"{tmp_path}:/usr/bin:/bin")
    assert none.returncode == 1 and "python3 finds no torch here: set LONGHAUL_TORCH_ROOT" in none.stderr


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    (tmp_path / "mine").touch()
    done = bundle(tmp_path)
    assert done.returncode == 1 and "is not empty" in done.stderr and [path.name for path in tmp_path.iterdir()] == ["mine"]


def build_in(folder, bundled):
    """A bundle as if it were a build, with its LibTorch in the same folder; and what finds that."""
    shutil.copytree(bundled, folder)
    (folder / "torch").symlink_to(LIBTORCH / "torch")
    path = run(bundled, "bash", "-c", "echo $LD_LIBRARY_PATH").stdout.strip()
    return {"LONGHAUL_BUILD_DIR": str(folder), "LD_LIBRARY_PATH": f"{folder}/torch/lib:{path}"}


def test_a_build_whose_path_has_spaces(bundled, tmp_path):
    environment = build_in(tmp_path / "my own build", bundled)
    (tmp_path / "my own build" / "bin" / "test_ops").unlink()
    done = bundle(tmp_path / "made here", **environment)
    assert done.returncode == 0, done.stderr
    assert re.search(r"left out, as this build has none:.* test_ops.*LONGHAUL_TESTS=ON", done.stderr)
    names = lambda folder: {path.name for path in (folder / "lib").iterdir()}
    assert names(tmp_path / "made here") == names(bundled)
    shutil.rmtree(tmp_path / "my own build")
    assert run(tmp_path / "made here", "llm-pretrain", "--version").stdout.startswith("llm-pretrain ")


def test_it_says_what_the_other_machine_needs(bundled, tmp_path):
    """As the linker's version needs have it, by binutils."""
    said = bundle(tmp_path / "bundle", **build_in(tmp_path / "build", bundled)).stderr
    for name in ("GLIBC", "GLIBCXX"):
        needs = subprocess.check_output(["objdump", "-p", *bundled.glob("bin/*"), *bundled.glob("lib/*")], text=True)
        newest = max(tuple(map(int, version.split("."))) for version in re.findall(rf" {name}_([\d.]+)", needs))
        assert f"{name}_{'.'.join(map(str, newest))} of" in said


def test_a_bundle_that_fails_leaves_nothing(bundled, tmp_path):
    """Before it takes anything, and when it has taken most; the next try then works."""
    environment, made = build_in(tmp_path / "build", bundled), tmp_path / "made"
    made.mkdir()
    for program in ("test_ops", "test_comm", "cuda_ops_bench"):
        (tmp_path / "build" / "bin" / program).unlink(missing_ok=True)
    for file, spoil, told in [("bin/llm-pretrain", lambda file: shutil.copy("/bin/true", file), "not use libtorch_cpu.so"),
                              ("lib/liblonghaul.so", lambda file: subprocess.run([*SET_RPATH, file, "x"], check=True), "is longer than the 1 bytes")]:
        whole = tmp_path / "whole"
        shutil.copy(tmp_path / "build" / file, whole)
        spoil(tmp_path / "build" / file)
        done = bundle(made / "bundle", **environment)
        assert done.returncode == 1 and told in done.stderr and list(made.iterdir()) == []
        shutil.copy(whole, tmp_path / "build" / file)
    done = bundle(made / "bundle", **environment)
    assert done.returncode == 0, done.stderr


def test_help_is_no_error():
    done = subprocess.run([ROOT / "scripts" / "bundle", "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("scripts/bundle FOLDER") and done.stderr == ""


def test_the_gpu_tools_take_its_programs(bundled, tmp_path):
    """In the bundle's environment. With an nvidia-smi that lists a GPU, and a doctor that says where it would look for LibTorch."""
    (tmp_path / "bin").mkdir()
    shutil.copy(bundled / "run", tmp_path)
    for program, text in [("nvidia-smi", "echo GPU 0"), ("bin/llm-pretrain", 'echo "$1 $LD_LIBRARY_PATH"; echo "LibTorch on GPUs        works"')]:
        (tmp_path / program).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / program).chmod(0o755)
    done = run(tmp_path, sys.executable, ROOT / "tools" / "test_gpu.py", "--build", tmp_path, "--only", "doctor", "--output", tmp_path / "out.json",
               PATH=f"{tmp_path}:{os.environ['PATH']}")
    doctor, = json.loads((tmp_path / "out.json").read_text())
    assert done.returncode == 0 and doctor["result"] == "passed", done.stderr
    assert pathlib.Path(doctor["log"]).read_text().startswith(f"doctor {LIBTORCH}/torch/lib:")


def test_set_rpath(tmp_path):
    rpath = lambda file: re.findall(r"\((RPATH|RUNPATH)\).*\[(.*)\]", subprocess.check_output(["readelf", "-d", file], text=True))
    file = tmp_path / "program"
    shutil.copy(PROGRAM, file)
    (kind, before), = rpath(file)
    size = file.stat().st_size
    subprocess.run([*SET_RPATH, file, "$ORIGIN/../lib"], check=True)
    assert rpath(file) == [(kind, "$ORIGIN/../lib")] != [(kind, before)] and file.stat().st_size == size
    long = subprocess.run([*SET_RPATH, file, "x" * 4000], capture_output=True, text=True)
    assert long.returncode == 1 and "is longer than the" in long.stderr and rpath(file) == [(kind, "$ORIGIN/../lib")]
    shutil.copy("/bin/true", file)
    assert rpath(file) == []
    subprocess.run([*SET_RPATH, file, "$ORIGIN"], check=True)
    assert file.read_bytes() == pathlib.Path("/bin/true").read_bytes()


@pytest.mark.parametrize("kinds", [("RPATH", "RUNPATH"), ("RUNPATH", "RPATH")], ids="-".join)
def test_set_rpath_writes_what_the_loader_heeds(tmp_path, kinds):
    """Of both kinds in one file, which linkers once wrote, the RUNPATH. RELACOUNT's place is taken for the second."""
    tags, relacount = {"RPATH": 15, "RUNPATH": 29}, 0x6ffffff9
    data = bytearray(pathlib.Path(PROGRAM).read_bytes())
    found = re.search(r"DYNAMIC +(0x\w+) \S+ \S+ (0x\w+)", subprocess.check_output(["readelf", "-lW", PROGRAM], text=True))
    first, size = (int(word, 16) for word in found.groups())
    places = {struct.unpack_from("<Q", data, place)[0]: place for place in range(first, first + size, 16)}
    path = next(places[tag] for tag in tags.values() if tag in places)
    text = struct.unpack_from("<Q", data, path + 8)[0]
    for place, kind in zip((path, places[relacount]), kinds):
        struct.pack_into("<QQ", data, place, tags[kind], text + (kind == "RPATH"))  # the RPATH begins a letter later: writing there shows
    file = tmp_path / "program"
    file.write_bytes(data)
    subprocess.run([*SET_RPATH, file, "$ORIGIN/../lib"], check=True)
    assert "(RUNPATH)            Library runpath: [$ORIGIN/../lib]" in subprocess.check_output(["readelf", "-d", file], text=True)
