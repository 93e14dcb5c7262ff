"""What users and machines get wrong: each mistake ends with one line that says what, where and what to do, and with
exit code 2 (the machine's faults: 1); nothing that existed is damaged."""

import ctypes
import json
import os
import pathlib
import resource
import shutil
import signal
import subprocess

import pytest
import safetensors.torch
import torch

from cli_support import (TEXT, fails, make_model, make_tokenizer, ok, prepare, pretrain, snapshot, write_dataset,
                         write_jsonl)

KEY = "model.layers.1.mlp.up_proj.weight"


@pytest.fixture(scope="module")
def sharded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sharded") / "hf"
    make_model(folder, shard="80KB")
    return folder


@pytest.fixture
def copy(hf, tmp_path):
    return pathlib.Path(shutil.copytree(hf, tmp_path / "copy"))


@pytest.fixture
def shards(sharded, tmp_path):
    return pathlib.Path(shutil.copytree(sharded, tmp_path / "shards"))


def edit_json(file, change):
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def edit_weights(folder, change):
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    change(weights)
    safetensors.torch.save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def refuses(folder, message):
    """generate reads the folder as pretrain does."""
    fails(2, message, "generate", "--model", folder, "--prompt", "The", "--max-new-tokens", 1)


# Hugging Face folders.


def test_a_missing_weight_file(copy):
    (copy / "model.safetensors").unlink()
    refuses(copy, "has no model.safetensors and no model.safetensors.index.json; fetch the model's weights")


def test_pickled_weights_are_refused(copy):
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    refuses(copy, ["pickled", "save_pretrained"])


@pytest.mark.parametrize("bytes_left", [0, 5, 100, -1])
def test_a_truncated_weight_file(copy, bytes_left):
    file = copy / "model.safetensors"
    file.write_bytes(file.read_bytes()[:bytes_left])
    refuses(copy, [str(file), "again" if bytes_left > 8 or bytes_left < 0 else "not a safetensors file"])


def test_weights_that_were_not_fetched(copy):
    (copy / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n")
    refuses(copy, ["only Git LFS's pointer to the weights", "git lfs pull"])


def test_a_corrupt_header(copy):
    file = copy / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[20] = 0
    file.write_bytes(content)
    refuses(copy, str(file))


def test_a_missing_shard(shards):
    name = sorted(shards.glob("*.safetensors"))[1].name
    (shards / name).unlink()
    refuses(shards, ["model.safetensors.index.json", f"names {name}, which is not in the folder"])


@pytest.mark.parametrize("text", ["{", "[]", '{"weight_map": 3}'])
def test_a_damaged_index(shards, text):
    (shards / "model.safetensors.index.json").write_text(text)
    refuses(shards, ["model.safetensors.index.json", "fetch"])


def test_an_index_that_names_the_wrong_file(shards):
    def swap(index):
        keys = list(index["weight_map"])
        files = sorted(set(index["weight_map"].values()))
        index["weight_map"][keys[0]] = next(f for f in files if f != index["weight_map"][keys[0]])

    edit_json(shards / "model.safetensors.index.json", swap)
    refuses(shards, "has no tensor")


def test_a_wrong_shape(copy):
    edit_weights(copy, lambda weights: weights.update({KEY: weights[KEY][:-1].clone()}))
    refuses(copy, [KEY, "F32 [95, 48]", "wants [96, 48]"])


def test_a_wrong_dtype(copy):
    edit_weights(copy, lambda weights: weights.update({KEY: weights[KEY].to(torch.int32)}))
    refuses(copy, [KEY, "I32", "weights must be F32, BF16, F16 or F64"])


def test_weights_that_are_not_numbers(hf, data, tmp_path):
    shutil.copytree(hf, tmp_path / "hf")
    weights = safetensors.torch.load_file(tmp_path / "hf" / "model.safetensors")
    weights["model.layers.0.mlp.up_proj.weight"][0, 0] = float("nan")
    safetensors.torch.save_file(weights, tmp_path / "hf" / "model.safetensors", metadata={"format": "pt"})
    fails(2, ["the loss is not finite before the first update", f"the weights of {tmp_path / 'hf'}", "inspect"], *pretrain(tmp_path / "hf", data, tmp_path / "run"))


def test_a_missing_and_a_superfluous_tensor(copy):
    edit_weights(copy, lambda weights: weights.update({"model.layers.1.mlp.extra.weight": weights.pop(KEY)}))
    refuses(copy, [f"'{KEY}' [96, 48] is missing", "'model.layers.1.mlp.extra.weight'", "no place for it"])


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(model_type="mamba"), ["mamba", "llama"]),
        (dict(rope_parameters=dict(rope_type="yarn", rope_theta=10000.0, factor=4.0)), ["yarn"]),
        (dict(rope_scaling=dict(type="dynamic", factor=2.0), rope_parameters=None), ["dynamic"]),
        (dict(sliding_window=64), ["sliding_window"]),
        (dict(hidden_size="48"), ["hidden_size"]),
        (dict(num_attention_heads=5), ["5"]),
        (dict(hidden_act="relu6"), ["relu6"]),
    ],
)
def test_a_configuration_that_is_not_understood(copy, change, message):
    edit_json(copy / "config.json", lambda config: config.update(change))
    refuses(copy, [str(copy / "config.json"), *message])


def test_no_model_at_all(tmp_path, hf, data):
    (tmp_path / "empty").mkdir()
    refuses(tmp_path / "empty", ["holds no model", "config.json"])
    refuses(tmp_path / "nowhere", "is not a folder")
    fails(2, "is not a folder", *pretrain(tmp_path / "nowhere", data, tmp_path / "run"))
    fails(2, "the shell replaces ~ only at the start of a word", *pretrain("~/nowhere", data, tmp_path / "run"))
    fails(2, "`hf download someone/some-model --local-dir DIR`", *pretrain("someone/some-model", data, tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_a_damaged_tokenizer(copy):
    (copy / "tokenizer.json").write_text((copy / "tokenizer.json").read_text()[:-50])
    refuses(copy, "tokenizer.json")
    (copy / "tokenizer.json").unlink()
    refuses(copy, "has no tokenizer.json")


# A tokenizer that is not the model's.


def test_a_tokenizer_larger_than_the_vocabulary(copy):
    tokens = make_tokenizer(copy, size=450).get_vocab_size()
    assert tokens > 400
    refuses(copy, [f"has {tokens} tokens", "only 400"])


def test_ids_beyond_the_vocabulary(hf, tmp_path):
    make_tokenizer(tmp_path / "larger", size=600)
    prefix = prepare(tmp_path, tmp_path / "larger")
    fails(2, ["holds token id", "the model's vocabulary has 400", f"--tokenizer {hf}"], *pretrain(hf, prefix, tmp_path / "run"))


def test_ids_beyond_the_vocabulary_in_a_dataset_that_says_nothing(hf, tmp_path):
    prefix = write_dataset(tmp_path / "bare", [[1, 2, 3] * 50, [7, 500, 7] * 50])
    fails(2, ["500", "400"], *pretrain(hf, prefix, tmp_path / "run", "trainer.eval_every=0", "data.split=1,0,0"))
    fails(2, ["500", "400"], "eval", "--model", hf, "--data", prefix, "--sequence-length", 32)


def test_another_tokenizer(hf, tmp_path):
    make_tokenizer(tmp_path / "other", size=350)
    prefix = prepare(tmp_path, tmp_path / "other")
    fails(2, ["was prepared with another tokenizer", "data.check_tokenizer=false"], *pretrain(hf, prefix, tmp_path / "run"))
    ok(*pretrain(hf, prefix, tmp_path / "run", "data.check_tokenizer=false"))
    ok("import", "--model", hf, "--output", tmp_path / "checkpoint")
    fails(2, "was prepared with another tokenizer", *pretrain(tmp_path / "checkpoint", prefix, tmp_path / "run2"))


# Text.


@pytest.mark.parametrize(
    "line, message",
    [
        ('{"text": "a"', "line 3"),
        ("", "line 3"),
        ("[1]", "line 3"),
        ('{"body": "no text", "id": 3}', ["line 3", 'no key "text", but "body", "id": --json-keys says which to take']),
        ('{"text": 5}', ["line 3", "text"]),
    ],
)
def test_malformed_lines(hf, tmp_path, line, message):
    good = json.dumps({"text": TEXT[0]})
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text(f"{good}\n{good}\n{line}\n{good}\n")
    arguments = ["prepare", "--input", corpus, "--tokenizer", hf, "--output-prefix", tmp_path / "out", "--append-eod"]
    fails(2, ["corpus.jsonl"] + ([message] if isinstance(message, str) else message), *arguments)
    assert not list(tmp_path.glob("out*"))
    assert "1 bad lines skipped" in ok(*arguments, "--on-bad-line", "skip").stdout


def test_a_file_that_is_one_list(hf, tmp_path):
    corpus = tmp_path / "corpus.json"
    texts = [{"text": text} for text in TEXT]
    for content in [json.dumps(texts, indent=1), json.dumps(texts), "[" + ",\n".join(map(json.dumps, texts)) + "]"]:
        corpus.write_text(content)
        fails(2, ["line 1", "jq -c '.[]' FILE"], "prepare", "--input", corpus, "--tokenizer", hf, "--output-prefix", tmp_path / "out")


def test_text_in_utf_16(hf, tmp_path):
    (tmp_path / "notes.txt").write_text("one", encoding="utf-16")
    fails(2, ["notes.txt", "this is UTF-16", "iconv -f UTF-16"], "prepare", "--input", tmp_path / "notes.txt", "--tokenizer", hf,
          "--output-prefix", tmp_path / "out")


def test_no_text(hf, tmp_path):
    (tmp_path / "empty.jsonl").write_text("")
    arguments = ["prepare", "--tokenizer", hf, "--output-prefix", tmp_path / "out", "--input"]
    fails(2, "empty.jsonl", *arguments, tmp_path / "empty.jsonl")
    fails(2, "missing.jsonl", *arguments, tmp_path / "missing.jsonl")
    corpus = write_jsonl(tmp_path / "corpus.jsonl")
    fails(2, "tokenizer", "prepare", "--tokenizer", tmp_path, "--output-prefix", tmp_path / "out", "--input", corpus)
    assert not list(tmp_path.glob("out*"))


def test_bad_text_leaves_what_was_prepared(hf, tmp_path):
    prefix = prepare(tmp_path, hf)
    before = {path: digest for path, digest in snapshot(tmp_path).items() if str(prefix) in path}
    (tmp_path / "corpus.jsonl").write_text('{"text": "a"}\nnonsense\n')
    fails(2, "line 2", "prepare", "--input", tmp_path / "corpus.jsonl", "--tokenizer", hf, "--output-prefix", tmp_path / "corpus", "--overwrite")
    assert {path: digest for path, digest in snapshot(tmp_path).items() if str(prefix) in path} == before


# Prepared data.


@pytest.mark.parametrize("extension", ["bin", "idx"])
@pytest.mark.parametrize("bytes_left", [0, 20, -3])
def test_truncated_data(hf, data, tmp_path, extension, bytes_left):
    for suffix in ["bin", "idx", "json"]:
        shutil.copy(f"{data}.{suffix}", tmp_path / f"cut.{suffix}")
    file = tmp_path / f"cut.{extension}"
    file.write_bytes(file.read_bytes()[:bytes_left])
    message = [f"cut.{extension}", "prepare the data again" if (extension, bytes_left) != ("idx", 0) else "MMIDIDX"]
    fails(2, message, *pretrain(hf, tmp_path / "cut", tmp_path / "run"))
    fails(2, message, "eval", "--model", hf, "--data", tmp_path / "cut")
    fails(2, message, "inspect", tmp_path / "cut")


def test_missing_data(hf, data, tmp_path):
    fails(2, ["nothing.idx does not exist", "llm-pretrain prepare"], *pretrain(hf, tmp_path / "nothing", tmp_path / "run"))
    fails(2, f"did you mean {data}?", *pretrain(hf, str(data).removesuffix("_text_document"), tmp_path / "run"))


def test_too_little_data(hf, tmp_path):
    prefix = write_dataset(tmp_path / "short", [[1, 2, 3]])
    fails(2, "short", *pretrain(hf, prefix, tmp_path / "run"))


# Configuration.


@pytest.mark.parametrize(
    "override, message",
    [
        ("optimizer.lrr=1e-3", "Did you mean optimizer.lr?"),
        ("data.seqence_length=64", "Did you mean data.sequence_length?"),
        ("data.seq_len=64", "Did you mean data.sequence_length?"),
        ("num_train_epochs=2", "Did you mean trainer.max_steps?"),
        ("parallel.tp=2", "Did you mean parallel.tensor?"),
        ("use_distributed_optimizer=true", "Did you mean parallel.sharding?"),
        ("optimizer.lr=fast", "optimizer.lr must be a number"),
        ("batch.global=2.5", "batch.global must be an integer"),
        ("trainer.deterministic=perhaps", "trainer.deterministic must be"),
        ("schedule.kind=cosin", "cosine"),
        ("optimizer.lr=-1", "optimizer.lr must be a number, greater than 0"),
        ("batch.global=3", "batch.micro"),
        ("batch.micro=0", "batch.micro"),
        ("parallel.tensor=2", "parallel.tensor"),
        ("data.split=1,2,x", "1,2,x"),
        ("data.split=1,0,0", ["trainer.eval_every is", 'data.split "1,0,0" has no share for it']),
        ("data.test=elsewhere", ["trainer.eval_every is", "set data.valid"]),
        ("trainer.max_steps=9000000000000000000", "more than 10^18 tokens: set trainer.max_steps to"),
        ("just_a_word", "just_a_word"),
        ("data.replay_fraction=0.5", "data.replay names no data to replay"),
    ],
)
def test_configuration_mistakes(hf, data, tmp_path, override, message):
    extra = ["batch.micro=2"] if override == "batch.global=3" else []
    fails(2, message, *pretrain(hf, data, tmp_path / "run", *extra, override))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["Llama", "gpt2", "mistral"])
def test_a_family_that_is_not_known(tmp_path, name):
    message = [f"unknown family '{name}'; known are: llama, gpt, nemotron"]
    settings = [f"model.family={name}", "data.mock=true", f"trainer.run_dir={tmp_path / 'run'}", "trainer.device=cpu"]
    fails(2, message, "pretrain", "gpt_tiny", *settings)
    fails(2, message, "recipes", "show", "gpt_tiny", f"model.family={name}")
    assert not (tmp_path / "run").exists()


def test_a_gpu_where_there_is_none(hf, data, tmp_path):
    expected = ["no GPU can be used: ", "For the CPU choose trainer.device=cpu"]
    if not shutil.which("nvidia-smi"):
        expected[0] += "no NVIDIA driver"
    fails(2, expected, *pretrain(hf, data, tmp_path / "run", "trainer.device=cuda"), env={"CUDA_VISIBLE_DEVICES": ""})


def test_a_recipe_file_with_a_mistake(hf, data, tmp_path):
    recipe = tmp_path / "mine.json"
    recipe.write_text('{"base": "llama_tiny",\n "optimizer": {"lr": }}')
    fails(2, "mine.json:2:", *pretrain(hf, data, tmp_path / "run", recipe=recipe))
    for text, remedy in [('{"base": "llama_tiny",}', "Remove the comma before it"), ("{'base': 'llama_tiny'}", "double quotes"),
                         ('{"trainer": {"deterministic": True}}', "JSON writes true, false and null"),
                         ("model:\n  family: llama\n", "has to be JSON"), ("", "The file is empty"), ("// only\n# a comment\n", "mine.json:2:1")]:
        recipe.write_text(text)
        fails(2, ["mine.json:", remedy], *pretrain(hf, data, tmp_path / "run", recipe=recipe))
    recipe.write_text('{"base": "llama_tiny", "optimizer.lr": 1e-4}')
    fails(2, 'in a file groups are nested: {"optimizer": {"lr": …}}', *pretrain(hf, data, tmp_path / "run", recipe=recipe))
    recipe.write_text('{"base": "llama_tiny", "optimizer": {"lr": "high"}}')
    fails(2, ["mine.json", "optimizer.lr: expected a number, greater than 0"], *pretrain(hf, data, tmp_path / "run", recipe=recipe))


def test_what_is_not_checked_is_told(copy, data, tmp_path):
    (copy / "tokenizer.json").unlink()
    assert "has no tokenizer.json, so nothing tells whether" in ok("eval", "--model", copy, "--data", data, "--sequence-length", 32).stderr


def test_a_recipe_without_a_model(hf, data, tmp_path):
    recipe = tmp_path / "mine.json"
    recipe.write_text(json.dumps({"data": {"train": str(data), "sequence_length": 32}, "batch": {"global": 1, "micro": 1},
                                  "trainer": {"run_dir": str(tmp_path / "run"), "max_steps": 1, "eval_every": 0, "device": "cpu"},
                                  "schedule": {"warmup_steps": 0}}))
    forgotten = ok("pretrain", recipe, "model.vocab_size=400", "data.check_tokenizer=false").stderr
    assert "epochs of data.train's" in forgotten
    assert 'has no "model" section' not in forgotten  # an override says something of it
    fails(2, ["was started with another model", "or choose another trainer.run_dir"], "pretrain", recipe, f"model.from={hf}")


def test_numbers_and_names_of_options(hf, data):
    fails(2, ["--micro-batch", "0 is too small: it must be more than 0"], "eval", "--model", hf, "--data", data, "--micro-batch", 0)
    fails(2, ["--samples", "-1 is too small: it must be at least 0"], "eval", "--model", hf, "--data", data, "--samples", -1)
    fails(2, '"many" is no number', "eval", "--model", hf, "--data", data, "--samples", "many")
    fails(2, "settings are KEY=VALUE without dashes, such as optimizer.lr=…", "pretrain", "llama_tiny", "--lr", "1e-4")
    fails(2, "such as parallel.tensor=…", "pretrain", "llama_tiny", "--tensor-model-parallel-size", "2")


def test_a_sequence_longer_than_the_learned_positions(tmp_path):
    make_model(tmp_path / "gpt2", "gpt2")
    prefix = prepare(tmp_path, tmp_path / "gpt2", TEXT * 3)
    arguments = pretrain(tmp_path / "gpt2", prefix, tmp_path / "run", "data.sequence_length=200", recipe="gpt_tiny")
    fails(2, ["200", "128"], *arguments)
    fails(2, ["128"], "eval", "--model", tmp_path / "gpt2", "--data", prefix, "--sequence-length", 200)
    prompt = " ".join(TEXT)
    fails(2, "128 positions", "generate", "--model", tmp_path / "gpt2", "--prompt", prompt)


# The machine.


def small_files(limit):
    """Files may grow no larger than `limit` bytes: a write fails in its midst, as on a full disk."""

    def set_limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return set_limit


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of 512 KiB, where this user may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "none", folder], capture_output=True).returncode != 0:
        pytest.skip("no right to mount a file system")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_while_preparing(hf, tmp_path):
    prefix = prepare(tmp_path, hf)
    before = snapshot(tmp_path)
    corpus = write_jsonl(tmp_path / "larger.jsonl", TEXT * 20)
    arguments = ["prepare", "--input", corpus, "--tokenizer", hf, "--output-prefix", tmp_path / "corpus", "--overwrite"]
    fails(1, "cannot write", *arguments, preexec_fn=small_files(20_000))
    corpus.unlink()
    assert snapshot(tmp_path) == before and f"{prefix}.bin" in before


def test_a_really_full_disk_while_preparing(hf, tmp_path, tiny_disk):
    corpus = write_jsonl(tmp_path / "large.jsonl", TEXT * 200)
    fails(1, ["cannot write", "No space left", "free some space"], "prepare", "--input", corpus, "--tokenizer", hf,
          "--output-prefix", tiny_disk / "corpus")
    assert not list(tiny_disk.iterdir())


def test_a_full_disk_loses_nothing_that_was_sealed(hf, tmp_path):
    """The disk fills after some seals, with several workers; the same command goes on when there is room."""
    corpus = write_jsonl(tmp_path / "large.jsonl", TEXT * 900)
    arguments = ["prepare", "--input", corpus, "--tokenizer", hf, "--append-eod", "--workers", 3, "--seal-every", 1]
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    ok(*arguments, "--output-prefix", whole)
    size = (tmp_path / "whole_text_document.bin").stat().st_size
    for share in (0.5, 0.9):
        fails(1, ["cannot write", "the same command goes on from there"], *arguments, "--output-prefix", cut,
              preexec_fn=small_files(int(size * share)))
        assert (tmp_path / "cut.preparing").exists() and not list(tmp_path.glob("cut_*"))
    assert "an earlier run sealed" in ok(*arguments, "--output-prefix", cut).stderr
    for half in ("bin", "idx", "json"):
        assert (tmp_path / f"cut_text_document.{half}").read_bytes() == (tmp_path / f"whole_text_document.{half}").read_bytes()


def heed_permissions():
    """Those of files do not bind root unless the program starts without root's two capabilities to pass them over."""
    if os.getuid() == 0:
        drop_from_bounding_set, override, read_search = 24, 1, 2
        for capability in (override, read_search):
            assert ctypes.CDLL(None).prctl(drop_from_bounding_set, capability, 0, 0, 0) == 0


def test_an_unreadable_input_is_found_before_the_work_begins(hf, tmp_path):
    shutil.copytree(hf, tmp_path / "hf")
    files = [write_jsonl(tmp_path / f"{name}.jsonl") for name in "ab"]
    files[1].chmod(0)
    arguments = ["prepare", "--input", files[0], "--input", files[1], "--output-prefix", tmp_path / "out", "--tokenizer", tmp_path / "hf"]
    for how in ("fail", "skip"):
        fails(2, ["b.jsonl: Permission denied", "leave it out"], *arguments, "--on-bad-line", how, preexec_fn=heed_permissions)
    (tmp_path / "hf").chmod(0)
    fails(1, "hf/tokenizer.json: Permission denied", *arguments, preexec_fn=heed_permissions)
    (tmp_path / "hf").chmod(0o755)
    assert not list(tmp_path.glob("out*"))


def test_a_full_disk_while_saving(hf, data, tmp_path):
    run = tmp_path / "run"
    arguments = pretrain(hf, data, run, "trainer.deterministic=true", "schedule.kind=constant")
    ok(*arguments, "trainer.max_steps=1")
    before = snapshot(run / "checkpoints")
    fails(1, ["cannot write", "checkpoints/step_00000002"], *arguments, preexec_fn=small_files(60_000))
    assert snapshot(run / "checkpoints") == before
    ok(*arguments)
    whole = tmp_path / "whole"
    ok(*(str(a).replace(f"trainer.run_dir={run}", f"trainer.run_dir={whole}") for a in arguments))
    weights = [next((f / "checkpoints/step_00000002").glob("model-*.safetensors")).read_bytes() for f in (run, whole)]
    assert weights[0] == weights[1]


def test_a_full_disk_while_exporting(hf, tmp_path):
    ok("import", "--model", hf, "--output", tmp_path / "checkpoint")
    before = snapshot(tmp_path)
    fails(1, "cannot write", "export", "--checkpoint", tmp_path / "checkpoint", "--output", tmp_path / "out",
          preexec_fn=small_files(60_000))
    fails(1, "cannot write", "import", "--model", hf, "--output", tmp_path / "again", preexec_fn=small_files(60_000))
    assert snapshot(tmp_path) == before and sorted(os.listdir(tmp_path)) == ["checkpoint"]


def test_a_run_folder_that_cannot_be_made(hf, data, tmp_path):
    (tmp_path / "file").write_text("in the way")
    fails(1, [f"{tmp_path}/file", "cannot make the folder"], *pretrain(hf, data, tmp_path / "file"))
    fails(1, "cannot make the folder", *pretrain(hf, data, tmp_path / "file" / "run"))
    fails(1, "cannot make the folder /proc/run", *pretrain(hf, data, "/proc/run"))
    assert (tmp_path / "file").read_text() == "in the way"


@pytest.fixture
def read_only(hf, data, tmp_path):
    """A run with one checkpoint, on a read-only file system."""
    run = tmp_path / "run"
    ok(*pretrain(hf, data, run, "trainer.max_steps=1"))
    bind = ["mount", "--bind", run, run], ["mount", "-o", "remount,bind,ro", run]
    if any(subprocess.run(command, capture_output=True).returncode != 0 for command in bind):
        if os.geteuid() == 0:
            pytest.skip("no right to mount a file system")
        for path in [run, *run.rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        yield run
        for path in [run, *run.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
        return
    yield run
    subprocess.run(["umount", run], check=True)


def test_a_read_only_run_folder(hf, data, read_only):
    before = snapshot(read_only)
    fails(1, [str(read_only), "check the permissions, or choose another folder"], *pretrain(hf, data, read_only))
    assert snapshot(read_only) == before


def test_export_into_a_folder_with_something_in_it(hf, tmp_path):
    ok("import", "--model", hf, "--output", tmp_path / "checkpoint")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "precious.txt").write_text("mine")
    before = snapshot(tmp_path)
    for more in [[], ["--overwrite"]]:
        fails(2, str(tmp_path / "out"), "export", "--checkpoint", tmp_path / "checkpoint", "--output", tmp_path / "out", *more)
    fails(2, "is a Hugging Face folder already", "export", "--checkpoint", hf, "--output", tmp_path / "hf")
    assert snapshot(tmp_path) == before


# Checkpoints.


def test_a_damaged_checkpoint(hf, data, tmp_path):
    run = tmp_path / "run"
    ok(*pretrain(hf, data, run, "checkpoint.every=1", "checkpoint.keep_last=0"))
    newest = run / "checkpoints/step_00000002"
    file = next(newest.glob("model-*.safetensors"))
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    fails(2, [file.name, "is damaged (wrong checksum)"], "export", "--checkpoint", newest, "--output", tmp_path / "hf")
    assert not (tmp_path / "hf").exists()
    result = ok(*pretrain(hf, data, run, "trainer.max_steps=3"))
    assert "damaged" in result.stderr and "resuming" in result.stderr and "after step 1" in result.stderr
    (newest / "manifest.json").write_text("{}")
    fails(2, "manifest.json", "inspect", newest)


def test_a_run_whose_checkpoint_was_imported(hf, data, tmp_path):
    ok("import", "--model", hf, "--output", tmp_path / "run" / "checkpoints" / "step_00000000")
    fails(2, ["step_00000000 holds a model and nothing of a run", "model.from="], *pretrain(hf, data, tmp_path / "run"))


def test_a_checkpoint_that_the_run_removed(hf, data, tmp_path):
    run = tmp_path / "run"
    trained = ok(*pretrain(hf, data, run, "checkpoint.every=1", "checkpoint.keep_last=1"))
    gone = run / "checkpoints/step_00000001"
    assert trained.stderr.count(f"removed {gone}: checkpoint.keep_last is 1") == 1, trained.stderr
    expected = [f"there is no checkpoint {gone}", "has step_00000002;", "checkpoint.keep_last"]
    fails(2, expected, "export", "--checkpoint", gone, "--output", tmp_path / "hf")
    fails(2, expected, *pretrain(gone, data, tmp_path / "run2"))


def test_a_run_goes_on_with_its_own_model_only(hf, data, tmp_path):
    run = tmp_path / "run"
    ok(*pretrain(hf, data, run))
    make_model(tmp_path / "wider", intermediate_size=128)
    before, log = snapshot(run), (run / "log.txt").read_text()
    fails(2, ["was started with another model", "model.ffn_hidden"], *pretrain(tmp_path / "wider", data, run, "trainer.max_steps=4"))
    after = snapshot(run)
    assert before.pop(str(run / "log.txt")) != after.pop(str(run / "log.txt")) and after == before
    grown = (run / "log.txt").read_text()
    assert grown.startswith(log) and "error the run" in grown[len(log):] and "was started with another model" in grown


# What the data says of itself.


@pytest.mark.parametrize("suffix", [".bin", ".idx"])
def test_an_extension_keeps_the_tokenizer_check(hf, tmp_path, suffix):
    make_tokenizer(tmp_path / "other", size=350)
    prefix = prepare(tmp_path, tmp_path / "other")
    fails(2, "was prepared with another tokenizer", *pretrain(hf, f"{prefix}{suffix}", tmp_path / "run"))


def test_documents_without_a_known_end(hf, data, tmp_path):
    for suffix in ["bin", "idx"]:
        shutil.copy(f"{data}.{suffix}", tmp_path / f"bare.{suffix}")
    arguments = pretrain(hf, tmp_path / "bare", tmp_path / "run")
    assert f"{tmp_path}/bare.json is missing" in ok(*arguments).stderr
    fails(2, ["need an end-of-document token", f"{tmp_path}/bare.json, which would name it, is missing"],
          *arguments, "data.reset_attention_mask=true")
    ok(*pretrain(hf, data, tmp_path / "run2", "data.reset_attention_mask=true"))
