"""What must fit together: the recipe's model and the checkpoint's, data and tokenizer, lengths and positions."""

import json
import resource
import shutil
import signal
import subprocess
import time

import pytest
import tokenizers
import torch
import transformers

from cli_support import PROGRAM, TEXT, fails, make_tokenizer, ok, prepare, pretrain, write_dataset


@pytest.fixture(scope="module")
def run_dir(hf, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "run"
    ok(*pretrain(hf, data, folder))
    return folder


@pytest.mark.parametrize("override", ["model.rope_scaling.factor=8", "model.rope_scaling.kind=none", "model.layers=2",
                                      "model.family=gpt", "model.init_std=0.5"])
def test_an_override_that_the_checkpoint_contradicts_is_refused(hf, data, tmp_path, override):
    key = override.split("=")[0]
    fails(2, [key, "config.json"], *pretrain(hf, data, tmp_path / "run", override))
    assert not (tmp_path / "run").exists()


def test_a_recipe_file_that_contradicts_its_own_from_is_refused(hf, data, tmp_path):
    recipe = tmp_path / "mine.json"
    recipe.write_text(json.dumps({"base": "llama_tiny", "model": {"from": str(hf), "rope_theta": 5e5}}))
    arguments = [a for a in pretrain(hf, data, tmp_path / "run", recipe=recipe) if not str(a).startswith("model.from")]
    fails(2, "model.rope_theta is set to 500000", *arguments)


def test_what_agrees_or_is_of_training_is_taken(hf, data, tmp_path):
    ok(*pretrain(hf, data, tmp_path / "run", "model.rope_scaling.factor=4", "model.layers=3", "model.kv_heads=0",
                 "model.hidden_dropout=0.1"))


def test_a_runs_own_config_trains_again(hf, run_dir, tmp_path):
    ok("pretrain", run_dir / "config.json", f"trainer.run_dir={tmp_path / 'again'}")


def test_export_keeps_initializer_range(hf, run_dir, tmp_path):
    ok("export", "--checkpoint", run_dir, "--output", tmp_path / "out")
    before, after = (json.loads((f / "config.json").read_text()) for f in (hf, tmp_path / "out"))
    assert before["initializer_range"] == after["initializer_range"] == 0.1


def test_eval_refuses_data_of_another_tokenizer(hf, tmp_path):
    make_tokenizer(tmp_path / "other", size=300)
    other = prepare(tmp_path, tmp_path / "other")
    fails(2, ["another tokenizer", "--any-tokenizer"], "eval", "--model", hf, "--data", other)
    ok("eval", "--model", hf, "--data", other, "--any-tokenizer", "--sequence-length", 32)


def test_eval_refuses_what_training_refuses(hf, data):
    fails(2, "the model's 256 positions", "eval", "--model", hf, "--data", data, "--sequence-length", 257)
    result = subprocess.run([PROGRAM, "eval", "--model", hf, "--data", data, "--seed", "4294967296"], capture_output=True,
                            text=True)
    assert result.returncode == 2 and "--seed" in result.stderr
    ok("eval", "--model", hf, "--data", data, "--sequence-length", 32, "--seed", 4294967295)


def test_eval_on_cuda_speaks_of_no_recipe_key(hf, data):
    result = subprocess.run([PROGRAM, "eval", "--model", hf, "--data", data, "--device", "cuda", "--sequence-length", "32"],
                            capture_output=True, text=True)
    if result.returncode == 0:
        pytest.skip("there is a GPU")
    assert result.returncode == 2 and "trainer.device" not in result.stderr and ".." not in result.stderr


def test_generate_says_that_the_positions_ran_out(hf):
    result = ok("generate", "--model", hf, "--prompt", "The", "--max-new-tokens", 1000, "--ignore-eos")
    assert "no more than 256 positions" in result.stderr
    assert "positions" not in ok("generate", "--model", hf, "--prompt", "The", "--max-new-tokens", 3).stderr


def test_generate_stops_at_any_end_of_text_token(hf, tmp_path):
    def greedy(folder):
        return ok("generate", "--model", folder, "--prompt", "The quick", "--max-new-tokens", 12, "--no-echo").stdout

    copy = shutil.copytree(hf, tmp_path / "copy")
    tokenizer = tokenizers.Tokenizer.from_file(str(hf / "tokenizer.json"))
    model = transformers.AutoModelForCausalLM.from_pretrained(hf).eval()
    prompt = torch.tensor([tokenizer.encode("The quick").ids])
    new = model.generate(prompt, max_new_tokens=12, do_sample=False, eos_token_id=None)[0, prompt.shape[1]:].tolist()
    stop = next(i for i in range(1, 12) if new[i] not in new[:i])
    config = json.loads((copy / "generation_config.json").read_text())
    (copy / "generation_config.json").write_text(json.dumps(config | {"eos_token_id": [0, new[stop]]}))
    assert greedy(copy) == tokenizer.decode(new[:stop]) != greedy(hf)


def test_a_hugging_face_folder_may_hold_checkpoints(hf, data, tmp_path):
    copy = shutil.copytree(hf, tmp_path / "copy")
    (copy / "checkpoints").mkdir()
    ok("eval", "--model", copy, "--data", data, "--sequence-length", 32)


def test_an_odd_head_dim_is_the_users_mistake(hf, data, tmp_path):
    copy = shutil.copytree(hf, tmp_path / "copy")
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"head_dim": 11}))
    fails(2, "11 channels", "eval", "--model", copy, "--data", data)


def test_a_sequence_beyond_the_checkpoints_positions_names_its_config(hf, data, tmp_path):
    arguments = [a for a in pretrain(hf, data, tmp_path / "run") if not str(a).startswith("data.sequence_length")]
    fails(2, "the config.json of a copy of", *arguments, "data.sequence_length=512")


def test_lack_of_memory_is_told_in_one_line(hf, tmp_path):
    data = write_dataset(tmp_path / "large", [[i % 400 for i in range(1000)]] * 400)
    limit = 600 << 20
    result = fails(1, "out of memory", "eval", "--model", hf, "--data", data, "--sequence-length", 256, "--threads", 1,
                   "--device", "cpu", "--micro-batch", 1500,
                   preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))
    assert "internal error" not in result.stderr and "backtrace" not in result.stderr.lower()


def test_a_stopped_prepare_leaves_nothing(hf, tmp_path):
    source = tmp_path / "pipe.jsonl"
    out = tmp_path / "out"
    out.mkdir()
    source.write_text("".join(json.dumps({"text": line}) + "\n" for line in TEXT) * 20000)
    process = subprocess.Popen([PROGRAM, "prepare", "--input", source, "--tokenizer", hf, "--output-prefix", out / "corpus",
                                "--workers", "1"], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    deadline = time.time() + 60
    while not list(out.glob("corpus.preparing/*.bin")) and time.time() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130 and "stopped by Ctrl-C" in stderr
    assert list(out.iterdir()) == []


def test_the_next_prepare_clears_what_a_killed_one_left(hf, data, tmp_path):
    folder = tmp_path / "corpus.preparing"
    folder.mkdir()
    for name in ["text_document.bin", "text_document.lengths", "text_document.borders"]:
        (folder / name).write_text("half")
    prepare(tmp_path, hf)
    assert not folder.exists()
