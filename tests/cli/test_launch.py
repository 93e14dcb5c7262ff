"""`launch local`: output by rank, failures, signals. launch_tool does for any program what the command does for its own."""
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

import cli_support

BIN = pathlib.Path(os.environ.get("LONGHAUL_BUILD_DIR", pathlib.Path(__file__).parents[2] / "build")) / "bin"


def launch(ranks, script, output_dir="-"):
    return subprocess.run([BIN / "launch_tool", str(ranks), output_dir, "bash", "-c", script], capture_output=True, text=True, timeout=60)


def test_output_is_told_apart_by_rank():
    result = launch(3, "echo out $OMPI_COMM_WORLD_RANK; echo err $OMPI_COMM_WORLD_RANK >&2; [ $OMPI_COMM_WORLD_RANK = 0 ] || printf unfinished")
    assert result.returncode == 0
    expected = ["out 0", "[rank 1] out 1", "[rank 1] unfinished", "[rank 2] out 2", "[rank 2] unfinished"]
    assert sorted(result.stdout.splitlines()) == sorted(expected)
    assert sorted(result.stderr.splitlines()) == ["[rank 1] err 1", "[rank 2] err 2", "err 0"]


def test_output_goes_to_files(tmp_path):
    result = launch(2, "echo out $OMPI_COMM_WORLD_RANK", str(tmp_path / "logs"))
    assert result.stdout == "out 0\n"
    assert [(tmp_path / "logs" / f"rank_{r}.log").read_text() for r in (0, 1)] == ["out 0\n", "out 1\n"]


def test_cores_and_threads_are_divided():
    cores = len(os.sched_getaffinity(0))
    result = launch(2, "echo $OMP_NUM_THREADS $(python3 -c 'import os; print(sorted(os.sched_getaffinity(0)))')")
    lines = [line.removeprefix("[rank 1] ").split(" ", 1) for line in result.stdout.splitlines()]
    assert [int(threads) for threads, _ in lines] == [max(1, cores // 2)] * 2
    if cores >= 2:
        sets = [set(eval(held)) for _, held in lines]
        assert not sets[0] & sets[1] and sets[0] | sets[1] == os.sched_getaffinity(0)


def test_ranks_without_a_launchers_share_divide_the_cores(tmp_path):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    command = [cli_support.PROGRAM, "pretrain", "llama_tiny", "data.mock=true", "trainer.device=cpu", "schedule.warmup_steps=0", "trainer.max_steps=1",
               f"trainer.run_dir={tmp_path / 'run'}"]
    ranks = [subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
                              env=environment | {"RANK": str(r), "WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": str(port)}) for r in (0, 1)]
    errors = [rank.communicate(timeout=120)[1] for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0, 0], errors
    told = re.search(r"2 ranks share this machine, with (\d+) threads? each", errors[0])
    assert told and int(told[1]) <= max(1, os.cpu_count() // 2), errors[0]


def test_a_rank_that_mpi_takes_for_the_only_one_does_not_train_alone(tmp_path):
    cli_support.fails(1, ["the launcher tells of 2 ranks (OMPI_COMM_WORLD_SIZE", "but MPI knows of 1", "mpirun"], "pretrain", "llama_tiny", "data.mock=true",
                      f"trainer.run_dir={tmp_path / 'run'}", env={"OMPI_COMM_WORLD_SIZE": "2"})
    assert not (tmp_path / "run").exists()


def test_a_machine_that_nobody_knows_is_named_soon(tmp_path):
    for rank in (0, 1):
        process = subprocess.Popen([cli_support.PROGRAM, "pretrain", "llama_tiny", "data.mock=true", f"trainer.run_dir={tmp_path / 'run'}"],
                                   stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
                                   env=os.environ | {"RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "no-such-host.invalid", "MASTER_PORT": "29765"})
        try:
            assert any("This machine knows no no-such-host.invalid: is MASTER_ADDR right?" in line for line in process.stderr)
        finally:
            process.kill()
            process.wait()
            process.stderr.close()


def test_the_first_failure_is_shown_last_and_its_exit_code_returned():
    result = launch(3, "[ $OMPI_COMM_WORLD_RANK = 2 ] && { echo the reason >&2; exit 7; }; sleep 50")
    assert result.returncode == 7
    last = result.stderr.splitlines()[-1]
    assert last.startswith("error: rank 2 failed first") and "the reason" in last


def test_a_killed_rank_ends_all():
    start = time.monotonic()
    result = launch(2, "[ $OMPI_COMM_WORLD_RANK = 1 ] && kill -9 $$; sleep 50")
    assert result.returncode == 128 + 9 and time.monotonic() - start < 20
    assert "rank 1 failed first: was killed by signal 9" in result.stderr.splitlines()[-1]


def test_a_rank_that_throws_in_a_collective_operation():
    result = subprocess.run([BIN / "launch_tool", "3", "-", BIN / "comm_conformance", "--fail-rank", "1"], capture_output=True,
                            text=True, timeout=60)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == "error: rank 1 failed first: this rank was told to fail"


def test_signals_reach_the_ranks_which_may_end_in_order(tmp_path):
    script = f"trap 'echo saved; exit 0' TERM; touch {tmp_path}/up.$OMPI_COMM_WORLD_RANK; while true; do sleep 0.1; done"
    process = subprocess.Popen([BIN / "launch_tool", "2", "-", "bash", "-c", script], stdout=subprocess.PIPE, text=True)
    until = time.monotonic() + 30
    while len(list(tmp_path.glob("up.*"))) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert sorted(output.splitlines()) == ["[rank 1] saved", "saved"]


def own_lines(stderr):
    """Without what Open MPI's own library says of a machine on which /sys is not to be seen."""
    return [line for line in stderr.splitlines() if "[hwloc" not in line]


def test_the_command_line():
    result = cli_support.ok("launch", "local", "--ranks", "2", "--", "recipes", "list")
    plain = cli_support.ok("recipes", "list")
    assert [line for line in result.stdout.splitlines() if not line.startswith("[rank 1]")] == plain.stdout.splitlines()
    bad = cli_support.run("launch", "local", "--ranks", "2", "--", "pretrain", "no_such_recipe")
    # All ranks fail alike: it is said once, by the launcher.
    said = own_lines(bad.stderr)
    assert bad.returncode == 2 and len(said) == 1 and said[0].startswith('error: rank 0 failed first: there is no recipe "no_such_recipe"'), said
    unknown = cli_support.run("launch", "local", "--ranks", "2", "--", "recipes", "lst")
    assert unknown.returncode == 2 and unknown.stderr.count("Did you mean") == 1 and len(own_lines(unknown.stderr)) == 1, unknown.stderr
    layout = cli_support.run("launch", "local", "--ranks", "2", "--", "pretrain", "llama_tiny", "data.mock=true", "parallel.tensor=4")
    assert layout.returncode == 2 and "parallel.tensor=2 parallel.pipeline=1 (with 1 data-parallel rank)" in layout.stderr
    assert layout.stderr.count("What fits") == 1, layout.stderr


def test_the_command_line_of_those_who_know_other_launchers():
    named = cli_support.ok("launch", "local", "--ranks", "1", "--", "llm-pretrain", "recipes", "list")
    assert named.stdout == cli_support.ok("recipes", "list").stdout
    cli_support.fails(2, "`launch local --ranks", "launch", "--ranks", "2", "--", "recipes", "list")
    for arguments in (["--", "recipes", "list"], ["recipes", "list"]):
        cli_support.fails(2, "say how many ranks to start with --ranks, as in", "launch", "local", *arguments)
    for arguments in ([], ["--"], ["--", "llm-pretrain"]):
        cli_support.fails(2, "nothing to launch: put a command behind", "launch", "local", "--ranks", "2", *arguments)
    cli_support.fails(2, "a command of `launch` is required: local", "launch", "--", "recipes", "list")
    cli_support.fails(2, 'there is no command "launch recipes", but local', "launch", "recipes")


def test_error_messages_that_end_nothing_are_shown_where_they_stand():
    result = launch(2, "echo error: early >&2; echo then >&2; sleep 3; [ $OMPI_COMM_WORLD_RANK = 1 ] && { echo error: mine >&2; exit 4; }; "
                       "sleep 50")
    assert result.returncode == 4
    lines = result.stderr.splitlines()
    assert lines.index("error: early") < lines.index("then") and "[rank 1] error: early" in lines, lines
    assert [line for line in lines if "mine" in line] == ["error: rank 1 failed first: ended with exit code 4; its last words: error: mine"]
