"""Exit codes and messages of `llm-pretrain`: recipes, schema, doctor.

The program is build/bin/llm-pretrain, or what LLM_PRETRAIN says.
"""

import json
import os
import pathlib
import re
import subprocess

import cli_support
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("LLM_PRETRAIN", str(ROOT / "build/bin/llm-pretrain"))
SOME = ["llama_tiny", "gpt3_175b", "nemotron4_15b"]


def run(*arguments, cwd=None, **more):
    return subprocess.run([PROGRAM, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=60, **more)


def names():
    return run("recipes", "list", "--names").stdout.split()


def test_version_and_help_end_with_zero():
    assert run("--version").stdout == "llm-pretrain 0.1.0\n"
    for command in ["", "recipes", "recipes list", "recipes show", "recipes init", "plan", "plan layout", "schema", "doctor"]:
        result = run(*command.split(), "--help")
        assert result.returncode == 0
        assert "Example" in result.stdout, command
        assert result.stderr == ""


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["recipies", "list"], 'error: there is no command "recipies". Did you mean "recipes"?'),
        (["recipes", "show", "llama_tny"], 'error: there is no recipe "llama_tny". Did you mean "llama_tiny"?'),
        (["recipes", "show", "llama_tiny", "optimizer.lrr=1"], "Did you mean optimizer.lr?"),
        (["recipes", "show", "llama_tiny", "num_layers=1"], "Did you mean model.layers?"),
        (["recipes", "show", "llama_tiny", "optimizer.lr=fast"], "optimizer.lr must be a number, greater than 0"),
        (["recipes", "show", "llama_tiny", "batch.micro=3"], "batch.global 8 does not divide by batch.micro 3"),
        (["recipes", "shw"], 'there is no command "recipes shw". Did you mean "show"?'),
        (["recipes", "show", "llama_tiny", "--jsn"], "`show` has no option --jsn. Did you mean --json?"),
        (["recipes", "show", "missing.json"], "error: cannot read missing.json: No such file or directory"),
        (["recipes", "list", "--nmaes"], "--nmaes"),
        (["recipes"], "required"),
        ([], "required"),
        (["schema", "--text", "--markdown"], "excludes"),
    ],
)
def test_a_users_mistake_is_one_line_on_stderr_and_exit_code_2(arguments, message):
    result = run(*arguments)
    assert result.returncode == 2
    assert message in result.stderr
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_errors_in_a_file(tmp_path):
    cases = {
        '{"base": "llama_tiny",\n "batch": {"global": 7,}}': ":2:",
        '{"base": "llama_tiny", "batch": {"globl": 8}}': "Did you mean batch.global?",
        '{"base": "mine.json"}': "in a circle",
    }
    for text, message in cases.items():
        (tmp_path / "mine.json").write_text(text)
        result = run("recipes", "show", "mine.json", cwd=tmp_path)
        assert result.returncode == 2
        assert "mine.json" in result.stderr and message in result.stderr


def test_what_the_machine_refuses_is_exit_code_1(tmp_path):
    result = run("recipes", "init", "llama_tiny", "-o", tmp_path / "no" / "such" / "folder.json")
    assert result.returncode == 1 and "cannot write" in result.stderr
    with open("/dev/full", "w") as full:
        result = subprocess.run([PROGRAM, "recipes", "list"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert result.returncode == 1 and "No space left" in result.stderr


def test_a_closed_pipe_ends_it_quietly():
    result = subprocess.run(
        ["bash", "-c", f'for i in 1 2 3; do "{PROGRAM}" schema; done | head -1'], capture_output=True, text=True
    )
    assert result.stdout == "{\n" and result.stderr == ""


@pytest.mark.parametrize("name", names())
def test_every_recipe_shows(name):
    report = run("recipes", "show", name)
    assert report.returncode == 0 and "parameters" in report.stdout and "recompute.mode" in report.stdout


@pytest.mark.parametrize("name", SOME)
def test_the_full_configuration_reads_back(name, tmp_path):
    record = run("recipes", "show", name, "--json").stdout
    (tmp_path / "record.json").write_text(record)
    assert run("recipes", "show", tmp_path / "record.json", "--json").stdout == record
    assert json.loads(record)["name"] == name


def test_parameter_count_is_printed_exactly():
    assert "8,030,261,248" in run("recipes", "show", "llama3_8b").stdout


@pytest.mark.parametrize("name", SOME)
def test_init_writes_a_file_that_means_the_recipe(name, tmp_path):
    mine = tmp_path / f"my_{name}.json"
    printed = run("recipes", "init", name, cwd=tmp_path)
    assert printed.returncode == 0 and not list(tmp_path.iterdir())
    mine.write_text(printed.stdout)
    shown = json.loads(run("recipes", "show", mine, "--json", cwd=tmp_path).stdout)
    original = json.loads(run("recipes", "show", name, "--json").stdout)
    assert shown.pop("name") == f"my_{name}" and shown["trainer"].pop("run_dir") == f"runs/my_{name}"
    del original["name"], original["trainer"]["run_dir"]
    assert shown == original
    again = run("recipes", "init", name, "--output", mine)
    assert again.returncode == 2 and "--overwrite" in again.stderr
    written = run("recipes", "init", name, "--output", mine, "--overwrite")
    assert written.returncode == 0 and mine.read_text() == printed.stdout and str(mine) in written.stdout


def tokens_in(data):
    return int(re.search(r"tokens +([0-9,]+)", cli_support.ok("inspect", data).stdout)[1].replace(",", ""))


# Documents, lines of each, epochs, and the share that is held out: four samples of it at least.
@pytest.mark.parametrize("documents, lines, epochs, share", [(400, 60, 1, 2), (40, 12, 3, 10), (3, 100, 2, 20), (1, 120, 1, 0)])
def test_init_writes_a_file_that_continues_a_model(hf, tmp_path, documents, lines, epochs, share):
    data = cli_support.prepare(tmp_path, hf, [f"Document {i}: " + " ".join((cli_support.TEXT * 2)[:lines]) for i in range(documents)])
    mine = tmp_path / "mine.json"
    cli_support.ok("recipes", "init", "--model", hf, "--data", data, "--epochs", epochs, "--output", mine)
    shown = json.loads(run("recipes", "show", mine, "--json").stdout)
    assert shown["model"]["from"] == str(hf) and shown["data"]["train"] == str(data) and shown["data"]["sequence_length"] == 256
    assert shown["data"]["split"] == f"{100 - share},{share},0" and (shown["trainer"]["eval_every"] > 0) == (share > 0)
    kept = tokens_in(data) * round(documents * (100 - share) / 100) // documents  # documents are about as long as each other
    steps = kept * epochs / (shown["batch"]["global"] * 256)
    assert shown["trainer"]["max_steps"] == pytest.approx(steps, abs=1 + 0.01 * steps)
    trained = cli_support.ok("pretrain", mine, f"trainer.max_steps={min(3, shown['trainer']['max_steps'])}", "schedule.warmup_steps=0",
                             "trainer.device=cpu", "trainer.precision=fp32", f"trainer.run_dir={tmp_path / 'run'}")
    assert "warning" not in trained.stderr and ("valid" in trained.stderr + trained.stdout) == (share > 0), trained.stderr


@pytest.mark.parametrize("words, ours", [("train llama_tiny", '"pretrain"'), ("preprocess --input a", '"prepare"'), ("export --model a --output b", "--checkpoint"),
                                          ("generate --checkpoint a", "--model"), ("prepare --input a --tokenizer-model b --output-prefix c", "--tokenizer")])
def test_what_others_call_it_is_understood(words, ours):
    result = run(*words.split())
    assert result.returncode == 2 and f"Did you mean {ours}?" in result.stderr, result.stderr


def test_init_refuses_what_it_cannot_write_a_recipe_for(hf, tmp_path):
    place = run("recipes", "init", "--model", hf).stdout
    assert "data/mine_text_document" in place and '"max_steps": 1000' in place
    few = cli_support.prepare(tmp_path, hf, ["a few words"], name="few")
    cli_support.fails(2, ["few_text_document has", "tokens to train on, and a step of 8 sequences of 256 takes 2,048", "--epochs "], "recipes",
                      "init", "--model", hf, "--data", few)
    cli_support.fails(2, "names 2 corpora: name one", "recipes", "init", "--model", hf, "--data", f"{few} {few}")
    cli_support.make_tokenizer(tmp_path / "other", size=350)
    other = cli_support.prepare(tmp_path, tmp_path / "other", cli_support.TEXT * 9, name="other")
    cli_support.fails(2, "tokenizer", "recipes", "init", "--model", hf, "--data", other)
    cli_support.fails(2, "say what to start from", "recipes", "init")
    assert run("recipes", "init", "llama_tiny", "--model", hf).returncode == 2
    assert run("recipes", "init", "llama_tiny", "--data", few).returncode == 2


def test_the_schema_is_one_and_accepts_what_the_program_accepts():
    import jsonschema

    schema = json.loads(run("schema").stdout)
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    for name in SOME:
        validator.validate(json.loads(run("recipes", "show", name, "--json").stdout))
    for path in (ROOT / "recipes").glob("*.json"):
        lines = path.read_text().splitlines()  # a recipe file may have comments, which Python's reader does not know
        validator.validate(json.loads("\n".join(line for line in lines if not line.lstrip().startswith("//"))))
    validator.validate({"base": "llama_tiny", "$schema": "x", "optimizer": {"lr": 1}})
    for wrong in [
        {"optimizer": {"lrr": 1}},
        {"optimizer": {"lr": 0}},
        {"optimizer": {"lr": "1"}},
        {"schedule": {"kind": "cosin"}},
        {"batch": {"micro": 0}},
        {"trainer": {"deterministic": 1}},
        {"base": 3},
    ]:
        assert not validator.is_valid(wrong), wrong


def test_editors_find_the_schema():
    settings = json.loads((ROOT / ".vscode/settings.json").read_text())
    (entry,) = settings["json.schemas"]
    assert (ROOT / entry["url"]).exists() and entry["fileMatch"] == ["/recipes/*.json"]


def test_text_lists_every_key_of_the_schema():
    def keys(schema, prefix=""):
        for name, inner in schema["properties"].items():
            if "properties" in inner:
                yield from keys(inner, f"{prefix}{name}.")
            else:
                yield prefix + name

    listed = {line.split()[0] for line in run("schema", "--text").stdout.splitlines()[2:]}
    assert listed == set(keys(json.loads(run("schema").stdout))) - {"base", "$schema"}
    assert all(line.startswith("optimizer.") for line in run("schema", "--text", "optimizer.").stdout.splitlines()[2:])


def test_doctor():
    result = run("doctor")
    assert result.returncode == 0
    for word in ["LibTorch", "2.11.0", "CPU", "cores", "memory", "disk", "CUDA", "g++"]:
        assert word in result.stdout
    bare = run("doctor", env={"PATH": "/nowhere"})
    assert bare.returncode == 0 and "apt install ninja-build" in bare.stdout
