"""inspect, verify, import, generate and eval on small models of each family, against transformers and tokenizers."""

import json
import os
import shutil
import subprocess
import sys
import time

import pytest
import safetensors.torch
import tokenizers
import torch
import transformers

from cli_support import PROGRAM, fails, make_model, make_tokenizer, ok, prepare, pretrain, run, snapshot, write_dataset, write_jsonl

FAMILIES = ["llama", "gpt2", "nemotron"]


@pytest.fixture(scope="module", params=FAMILIES)
def model(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / request.param
    make_model(folder, request.param)
    return folder


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    folder = tmp_path_factory.mktemp("llama") / "hf"
    make_model(folder, dtype=torch.bfloat16, shard="40KB")
    return folder


@pytest.fixture(scope="module")
def data(llama, tmp_path_factory):
    return prepare(tmp_path_factory.mktemp("data"), llama)


def load(folder):
    return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()


@pytest.mark.parametrize("prompt", ["The quick brown", "Ελλάδα 東"])
def test_generate_is_greedy_transformers_as_tokenizers_decodes_it(model, prompt):
    tokenizer = tokenizers.Tokenizer.from_file(str(model / "tokenizer.json"))
    reference = load(model)
    reference.generation_config.eos_token_id = None
    ids = torch.tensor([tokenizer.encode(prompt).ids])
    new = reference.generate(ids, do_sample=False, max_new_tokens=64, pad_token_id=0)[0, ids.shape[1]:].tolist()
    assert len(new) == 64
    ours = ok("generate", "--model", model, "--prompt", prompt, "--max-new-tokens", 64, "--temperature", 0,
              "--ignore-eos", "--no-echo", text=False)
    assert ours.stdout.decode() == tokenizer.decode(new, skip_special_tokens=True)


def test_eval_is_the_mean_cross_entropy(model, tmp_path):
    generator = torch.Generator().manual_seed(5)
    tokens = torch.randint(0, 400, (64 * 5 + 1,), generator=generator)
    prefix = write_dataset(tmp_path / "one", [tokens.tolist()])
    ours = json.loads(ok("eval", "--model", model, "--data", prefix, "--sequence-length", 64, "--micro-batch", 2, "--json").stdout)
    with torch.no_grad():
        logits = load(model)(input_ids=tokens[:-1].view(5, 64)).logits
    theirs = torch.nn.functional.cross_entropy(logits.flatten(0, 1).double(), tokens[1:]).item()
    assert ours["tokens"] == 320
    assert abs(ours["loss"] - theirs) <= 1e-5 * theirs


def test_eval_takes_a_blend(llama, tmp_path):
    generator = torch.Generator().manual_seed(6)
    a, b = (write_dataset(tmp_path / name, [torch.randint(0, 400, (32 * count + 1,), generator=generator).tolist()])
            for name, count in (("a", 3), ("b", 9)))

    def result(data, *more):
        return json.loads(ok("eval", "--model", llama, "--data", data, "--sequence-length", 32, "--json", *more).stdout)

    alone = [result(prefix) for prefix in (a, b)]
    whole = result(f"{a} {b}")  # by size: everything once
    assert whole["tokens"] == 12 * 32
    assert whole["loss"] == pytest.approx(sum(r["loss"] * r["tokens"] for r in alone) / whole["tokens"], rel=1e-5)
    half = result(f"0.5 {a} 0.5 {b}", "--samples", 6)  # three samples of each, so all of a
    assert half["tokens"] == 6 * 32
    assert result(f"0.5 {a}") == alone[0]
    fails(2, "say how many sequences to read, with --samples N", "eval", "--model", llama, "--data", f"0.5 {a} 0.5 {b}")
    fails(2, "--data: piece 3", "eval", "--model", llama, "--data", f"0.5 {a} {b}")


def test_verify_finds_a_model_equal(model):
    result = ok("verify", "--model", model, "--tokens", 100)
    assert "greedy tokens: all 32 equal" in result.stdout and "layer 2" in result.stdout
    assert "differs" not in result.stdout


KEY_OF_LAYER_1 = {
    "llama": "model.layers.1.mlp.up_proj.weight",
    "gpt2": "transformer.h.1.attn.c_proj.weight",
    "nemotron": "model.layers.1.self_attn.v_proj.weight",
}


def test_verify_names_the_first_layer_that_differs(model, tmp_path):
    damaged = tmp_path / "damaged"
    shutil.copytree(model, damaged)
    weights = safetensors.torch.load_file(damaged / "model.safetensors")
    weights[KEY_OF_LAYER_1[model.name]][3, :5] += 0.05
    safetensors.torch.save_file(weights, damaged / "model.safetensors", metadata={"format": "pt"})
    result = fails(1, "differs from transformers; first in: layer 1", "verify", "--model", model, "--reference", damaged)
    rows = {line[:12].strip(): line for line in result.stdout.splitlines()}
    assert "differs" not in rows["layer 0"] and "differs first" in rows["layer 1"] and "differs" in rows["logits"]


def test_verify_sees_another_tokenizer(llama, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(llama, other)
    make_tokenizer(other, size=300)
    result = fails(1, "differs from transformers in its greedy text", "verify", "--model", llama, "--reference", other)
    assert "tokenizers differ" in result.stdout


def test_verify_without_transformers_says_how_to_get_it(llama):
    fails(1, ["scripts/setup --test", "LONGHAUL_PYTHON"], "verify", "--model", llama, env={"LONGHAUL_PYTHON": "/bin/no-python"})


def test_import_then_export_gives_the_same_bytes(llama, tmp_path):
    before = snapshot(llama)
    ok("import", "--model", llama, "--output", tmp_path / "checkpoint")
    ok("export", "--checkpoint", tmp_path / "checkpoint", "--output", tmp_path / "hf")

    def tensors(folder):
        return {key: value for file in folder.glob("*.safetensors") for key, value in safetensors.torch.load_file(file).items()}

    theirs, ours = tensors(llama), tensors(tmp_path / "hf")
    assert theirs.keys() == ours.keys()
    for key, value in theirs.items():
        assert value.dtype == ours[key].dtype and torch.equal(value.view(torch.int16), ours[key].view(torch.int16)), key
    for name in ["tokenizer.json", "tokenizer_config.json", "generation_config.json"]:
        assert (llama / name).read_bytes() == (tmp_path / "hf" / name).read_bytes()
    assert snapshot(llama) == before
    fails(2, "exists", "import", "--model", llama, "--output", tmp_path / "checkpoint")
    fails(2, "--reference", "verify", "--model", tmp_path / "checkpoint")
    assert "equal" in ok("verify", "--model", tmp_path / "checkpoint", "--reference", tmp_path / "hf").stdout


def test_a_checkpoint_serves_wherever_a_folder_does(llama, data, tmp_path):
    checkpoint = tmp_path / "checkpoint"
    ok("import", "--model", llama, "--output", checkpoint)
    losses = []
    for source, name in [(llama, "a"), (checkpoint, "b")]:
        ok(*pretrain(source, data, tmp_path / name, "trainer.deterministic=true"))
        losses.append([json.loads(line)["loss"] for line in open(tmp_path / name / "metrics.jsonl")])
    assert losses[0] == losses[1] and len(losses[0]) == 2
    for command in [["eval", "--data", data, "--json"], ["generate", "--prompt", "The", "--max-new-tokens", 5]]:
        assert ok(command[0], "--model", llama, *command[1:]).stdout == ok(command[0], "--model", checkpoint, *command[1:]).stdout
    assert "loss" in ok("eval", "--model", tmp_path / "a", "--data", data, "--samples", 2).stdout


def test_eval_cuts_the_data_as_the_run_did(llama, data, tmp_path):
    ok(*pretrain(llama, data, tmp_path / "run", "data.split=80,20,0"))

    def tokens(model, *more):
        result = ok("eval", "--model", model, "--data", data, "--sequence-length", 32, "--split", "valid", "--json", *more)
        return json.loads(result.stdout)["tokens"]

    assert tokens(tmp_path / "run") == tokens(llama, "--shares", "80,20,0") > tokens(llama, "--shares", "90,10,0")
    assert tokens(tmp_path / "run", "--shares", "90,10,0") == tokens(llama, "--shares", "90,10,0")
    table = ok("eval", "--model", tmp_path / "run", "--data", data, "--split", "valid", "--samples", 1).stdout
    assert "valid of 80,20,0" in table
    fails(2, "--shares 80,20,0 cuts nothing", "eval", "--model", llama, "--data", data, "--shares", "80,20,0")
    ok(*pretrain(llama, data, tmp_path / "whole", f"data.valid={data}"))
    fails(2, "read data.train whole", "eval", "--model", tmp_path / "whole", "--data", data, "--split", "valid")


def test_other_work_on_the_machine_is_told(llama):
    """Threads that wait for one another crawl beside other programs."""
    asked = ["generate", "--model", llama, "--prompt", "The", "--max-new-tokens", 2]
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2 * os.cpu_count())]
    try:
        time.sleep(0.5)
        told = ok(*asked).stderr
        assert os.cpu_count() == 1 or "busy, and" in told and "--threads 1 may be much faster" in told, told
        assert "busy, and" not in ok(*asked, "--threads", 1).stderr
    finally:
        for program in busy:
            program.kill()
            program.wait()


def test_a_probability_without_a_temperature_is_told(llama):
    assert "--top-p 0.5 has no effect" in ok("generate", "--model", llama, "--prompt", "The", "--max-new-tokens", 2, "--top-p", 0.5).stderr


def test_prepare_replaces_nothing_unasked(llama, tmp_path):
    arguments = ["prepare", "--input", write_jsonl(tmp_path / "c.jsonl", ["one"]), "--tokenizer", llama, "--output-prefix", tmp_path / "c"]
    ok(*arguments)
    data = tmp_path / "c_text_document.bin"
    first, made = data.read_bytes(), data.stat().st_mtime_ns
    said = ok(*arguments).stdout
    assert "c_text_document is there already, of the same input and options: 1 documents" in said and "nothing to do" in said
    assert data.stat().st_mtime_ns == made
    for same in [["--on-bad-line", "skip"], ["--workers", 1]]:  # nothing was skipped
        assert "nothing to do" in ok(*arguments, *same).stdout
    assert "nothing to do" in ok(*arguments[:2], f"{tmp_path}/./c.jsonl", *arguments[3:]).stdout
    for change, what in [(["--append-eod"], "end-of-document token"), (["--input", write_jsonl(tmp_path / "d.jsonl", ["two"])], "inputs")]:
        refused = run(*arguments, *change)
        assert refused.returncode == 2 and f"c_text_document is there already, but made with other {what}; " in refused.stderr
        assert "--overwrite" in refused.stderr and data.read_bytes() == first and not (tmp_path / "c.preparing").exists()
    write_jsonl(tmp_path / "c.jsonl", ["one more"])
    assert run(*arguments).returncode == 2
    ok(*arguments, "--overwrite")
    assert data.read_bytes() != first
    data.write_bytes(b"")
    assert "is there already, but of no use" in run(*arguments).stderr
    ok(*arguments, "--overwrite")
    assert "nothing to do" in ok(*arguments).stdout
    (tmp_path / "c_text_document.json").unlink()
    assert "is there already, and nothing tells whether it was made of the same" in run(*arguments).stderr


def test_prepare_keeps_what_another_run_has_sealed(llama, tmp_path):
    large = write_jsonl(tmp_path / "large.jsonl", [f"text number {i} " * 40 for i in range(30_000)])
    small = write_jsonl(tmp_path / "small.jsonl", ["one"])
    options = ["--tokenizer", llama, "--output-prefix", tmp_path / "c", "--workers", 1, "--seal-every", 1]
    ok("prepare", "--input", small, *options)
    journal = tmp_path / "c.preparing" / "journal.json"
    process = subprocess.Popen([str(x) for x in [PROGRAM, "prepare", "--input", large, *options, "--overwrite"]])
    deadline = time.monotonic() + 60
    while not journal.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.wait()
    sealed = journal.read_bytes()
    refused = run("prepare", "--input", large, *options)
    assert refused.returncode == 2 and "but made with other inputs; " in refused.stderr, "its consent was the other command's"
    assert "nothing to do" in ok("prepare", "--input", small, *options).stdout
    other = write_jsonl(tmp_path / "other.jsonl", ["two"])
    assert run("prepare", "--input", other, *options).returncode == 2
    assert journal.read_bytes() == sealed
    assert "going on from" in ok("prepare", "--input", large, *options, "--overwrite").stderr
    assert not journal.exists()


def test_standard_input_replaces_nothing_unasked(llama, tmp_path):
    arguments = ["prepare", "--input", "-", "--tokenizer", llama, "--output-prefix", tmp_path / "q", "--json-keys", "text,title"]
    line = json.dumps({"text": "one", "title": "two"}) + "\n"
    (tmp_path / "q_title_document.bin").mkdir()  # so that the second dataset can't be published
    refused = run(*arguments, "--overwrite", input=line)
    assert refused.returncode == 1 and "same command goes on" not in refused.stderr and not (tmp_path / "q.preparing").exists()
    (tmp_path / "q_title_document.bin").rmdir()
    before = (tmp_path / "q_text_document.bin").read_bytes()
    refused = run(*arguments, input=line.replace("one", "another"))
    assert refused.returncode == 2 and "q_text_document is there already" in refused.stderr
    assert (tmp_path / "q_text_document.bin").read_bytes() == before


def test_prepare_does_not_replace_what_came_while_it_was_stopped(llama, tmp_path):
    corpus = write_jsonl(tmp_path / "c.jsonl", ["text " * 200_000, "more " * 200_000])
    with open(corpus, "a") as file:
        file.write("no JSON\n")
    arguments = ["prepare", "--input", corpus, "--tokenizer", llama, "--output-prefix", tmp_path / "c", "--seal-every", 1, "--workers", 1]
    assert "goes on from there" in run(*arguments).stderr
    ok("prepare", "--input", write_jsonl(tmp_path / "d.jsonl", ["one"]), "--tokenizer", llama, "--output-prefix", tmp_path / "d")
    for half in ("bin", "idx", "json"):
        shutil.copy(tmp_path / f"d_text_document.{half}", tmp_path / f"c_text_document.{half}")
    before = (tmp_path / "c_text_document.bin").read_bytes()
    refused = run(*arguments, "--on-bad-line", "skip")
    assert refused.returncode == 2 and "is there already, but made with other inputs" in refused.stderr
    assert (tmp_path / "c_text_document.bin").read_bytes() == before and (tmp_path / "c.preparing" / "journal.json").exists()
    assert "going on from" in ok(*arguments, "--on-bad-line", "skip", "--overwrite").stderr


def test_data_merge_replaces_nothing_unasked(llama, tmp_path):
    for name in "ab":
        ok("prepare", "--input", write_jsonl(tmp_path / "c.jsonl", [name]), "--tokenizer", llama, "--output-prefix", tmp_path / name)
    merge = ["data", "merge", "--input", tmp_path / "a_text_document", "--input", tmp_path / "b_text_document", "--output-prefix", tmp_path / "ab"]
    ok(*merge)
    before = (tmp_path / "ab.bin").read_bytes()
    merge[3], merge[5] = merge[5], merge[3]
    refused = run(*merge)
    assert refused.returncode == 2 and "ab is there already; choose another --output-prefix, or add --overwrite" in refused.stderr
    assert (tmp_path / "ab.bin").read_bytes() == before
    ok(*merge, "--overwrite")
    assert (tmp_path / "ab.bin").read_bytes() != before


def test_inspect_a_hugging_face_folder(model):
    out = ok("inspect", model).stdout
    count = sum(p.numel() for p in load(model).parameters())
    for part in [f"{count:,}", "F32", "byte-level BPE, 400 tokens", "model.safetensors", "3 layers, hidden 48"]:
        assert part in out, out
    assert "odd" not in out
    assert "lm_head" in ok("inspect", "--tensors", model).stdout or model.name == "gpt2"


def test_inspect_says_what_is_odd(tmp_path):
    folder = tmp_path / "odd"
    make_model(folder, vocab_size=416)
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    weights["model.embed_tokens.weight"][400:] = 0
    weights["model.layers.1.mlp.up_proj.weight"][0, :3] = float("nan")
    safetensors.torch.save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    out = ok("inspect", folder).stdout
    assert "16 of 416 rows of the token embedding are zero" in out
    assert "16 rows of the token embedding belong to no token" in out
    assert "model.layers.1.mlp.up_proj.weight holds 3 values that are NaN or infinite" in out
    assert "NaN" not in ok("inspect", "--quick", folder).stdout


def test_inspect_shards_and_a_safetensors_file(llama):
    out = ok("inspect", llama).stdout
    assert "model-00001-of-" in out and "BF16" in out
    shard = sorted(llama.glob("*.safetensors"))[0]
    out = ok("inspect", shard).stdout
    for name, tensor in safetensors.torch.load_file(shard).items():
        assert any(line.split()[:2] == [name, "BF16"] and line.endswith(f"{tensor.nbytes:,}") for line in out.splitlines())
    assert "metadata  format: pt" in out


def test_inspect_a_dataset(data, llama, tmp_path):
    for path in [data, f"{data}.idx", f"{data}.bin"]:
        out = ok("inspect", path).stdout
        for part in ["documents", "60", "uint16", "longest", "fingerprint", "token 0"]:
            assert part in out, out
    bare = write_dataset(tmp_path / "bare", [[1, 2, 3], [4], []])
    out = ok("inspect", bare).stdout
    assert "side-car" in out and "none" in out and "3 tokens" in out and "1 documents" in out


def test_inspect_a_run_and_its_checkpoint(llama, data, tmp_path):
    ok(*pretrain(llama, data, tmp_path / "run", "checkpoint.every=1", "checkpoint.keep_last=0"))
    out = ok("inspect", tmp_path / "run").stdout
    for part in ["llama_tiny", str(llama), "step 2 of 2 (100 %)", "step_00000001", "step_00000002", "latest", "loss"]:
        assert part in out, out
    assert any(block in out for block in "▁▂▃▄▅▆▇█")
    checkpoint = tmp_path / "run/checkpoints/step_00000002"
    out = ok("inspect", checkpoint).stdout
    for part in ["step", "128 tokens", "model", "optimizer.exp_avg_sq", "checksums are right", "tokenizer.json"]:
        assert part in out, out

    file = next(checkpoint.glob("model-*.safetensors"))
    damaged = bytearray(file.read_bytes())
    damaged[-1] ^= 1
    file.write_bytes(damaged)
    fails(2, [file.name, "is damaged (wrong checksum)"], "inspect", checkpoint)
    ok("inspect", "--quick", checkpoint)


def test_inspect_a_tokenizer_and_what_is_not_known(llama, tmp_path):
    make_tokenizer(tmp_path / "tokenizer")
    assert "byte-level BPE" in ok("inspect", tmp_path / "tokenizer").stdout
    (tmp_path / "empty").mkdir()
    fails(2, "none of the folders that are known", "inspect", tmp_path / "empty")
    fails(2, "does not exist", "inspect", tmp_path / "nothing")
    (tmp_path / "note.txt").write_text("hello")
    fails(2, "not a kind of file that is known", "inspect", tmp_path / "note.txt")


@pytest.mark.parametrize("command", ["prepare", "pretrain", "eval", "generate", "export", "import", "verify", "inspect"])
def test_help_has_examples(command):
    result = run(command, "--help")
    assert result.returncode == 0 and "Example" in result.stdout and "llm-pretrain " + command in result.stdout
