"""Hugging Face import and export against transformers: an untouched model comes back byte for byte, and loads."""

import json
import os
import pathlib
import shutil
import subprocess

import pytest
import safetensors.torch
import torch
from transformers import (AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM,
                          NemotronConfig, NemotronForCausalLM)

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get("LONGHAUL_BUILD", ROOT / "build")) / "bin" / "hf_roundtrip"
VOCAB = 131  # not a multiple of anything, so that padding shows

LLAMA = dict(vocab_size=VOCAB, hidden_size=48, intermediate_size=72, num_hidden_layers=12, num_attention_heads=6,
             num_key_value_heads=2, max_position_embeddings=64)
NEMOTRON = dict(LLAMA, head_dim=10, num_hidden_layers=2)
GPT2 = dict(vocab_size=VOCAB, n_embd=48, n_layer=3, n_head=4, n_positions=64)
LLAMA3_ROPE = {"rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0,
               "high_freq_factor": 4.0, "original_max_position_embeddings": 32}

CASES = {
    "llama_gqa": (LlamaForCausalLM, LlamaConfig, LLAMA),
    "llama_mha_tied": (LlamaForCausalLM, LlamaConfig,
                       dict(LLAMA, num_key_value_heads=None, num_hidden_layers=2, tie_word_embeddings=True)),
    "llama_biases_wide_heads": (LlamaForCausalLM, LlamaConfig,
                                dict(LLAMA, num_hidden_layers=2, head_dim=20, attention_bias=True, mlp_bias=True)),
    "llama_attention_bias": (LlamaForCausalLM, LlamaConfig, dict(LLAMA, num_hidden_layers=1, attention_bias=True)),
    "llama3_rope": (LlamaForCausalLM, LlamaConfig, dict(LLAMA, num_hidden_layers=1, rope_parameters=LLAMA3_ROPE)),
    "gpt2": (GPT2LMHeadModel, GPT2Config, GPT2),
    "gpt2_untied_unscaled": (GPT2LMHeadModel, GPT2Config,
                             dict(GPT2, n_inner=100, tie_word_embeddings=False, scale_attn_weights=False,
                                  activation_function="gelu")),
    "nemotron": (NemotronForCausalLM, NemotronConfig, NEMOTRON),
    "nemotron_mha_biases": (NemotronForCausalLM, NemotronConfig,
                            dict(NEMOTRON, num_key_value_heads=6, head_dim=None, attention_bias=True, mlp_bias=True,
                                 tie_word_embeddings=True)),
}


def make_model(name, folder, dtype=torch.float32, **save):
    model_class, config_class, fields = CASES[name]
    torch.manual_seed(len(name))
    model = model_class(config_class(**fields))
    with torch.no_grad():  # every parameter gets numbers of its own: a swapped norm or bias must show
        for parameter in model.parameters():
            parameter.normal_(0, 0.1)
    model = model.to(dtype).eval()
    model.save_pretrained(folder, **save)
    return model


def roundtrip(source, output, *more, fails=False):
    result = subprocess.run([PROGRAM, source, output, *map(str, more)], capture_output=True, text=True)
    assert (result.returncode != 0) == fails, result.stderr
    return result.stderr if fails else result.stdout


def tensors(folder):
    result = {}
    for file in sorted(pathlib.Path(folder).glob("*.safetensors")):
        for key, value in safetensors.torch.load_file(file).items():
            assert key not in result
            result[key] = value
    return result


def assert_same_bytes(left, right):
    assert left.keys() == right.keys()
    for key, value in left.items():
        other = right[key]
        assert (value.dtype, value.shape) == (other.dtype, other.shape), key
        assert torch.equal(value.contiguous().view(torch.uint8), other.contiguous().view(torch.uint8)), key


def fuse(query, key, value, groups):
    """Per key/value group: its query heads, its key, its value."""
    grouped = [tensor.unflatten(0, (groups, -1)) for tensor in (query, key, value)]
    return torch.cat(grouped, dim=1).flatten(0, 1)


def expected_parameters(name, model):
    """Longhaul's parameters, taken from the modules of transformers' model."""
    weights, config = model.state_dict(), model.config
    result = {}
    if name.startswith("gpt2"):
        result["embedding.word_embeddings.weight"] = weights["transformer.wte.weight"]
        result["embedding.position_embeddings.weight"] = weights["transformer.wpe.weight"]
        final = "transformer.ln_f"
        for i, block in enumerate(model.transformer.h):
            ours = f"decoder.layers.{i}."
            query, key, value = block.attn.c_attn.weight.T.chunk(3)
            result[ours + "self_attention.linear_qkv.weight"] = fuse(query, key, value, config.n_head)
            result[ours + "self_attention.linear_qkv.bias"] = fuse(*block.attn.c_attn.bias.chunk(3), config.n_head)
            for kind, norm in (("input_layernorm", block.ln_1), ("pre_mlp_layernorm", block.ln_2)):
                result[f"{ours}{kind}.weight"], result[f"{ours}{kind}.bias"] = norm.weight, norm.bias
            for kind, conv in (("self_attention.linear_proj", block.attn.c_proj), ("mlp.linear_fc1", block.mlp.c_fc),
                               ("mlp.linear_fc2", block.mlp.c_proj)):
                result[f"{ours}{kind}.weight"], result[f"{ours}{kind}.bias"] = conv.weight.T, conv.bias
    else:
        result["embedding.word_embeddings.weight"] = weights["model.embed_tokens.weight"]
        final = "model.norm"
        for i, layer in enumerate(model.model.layers):
            ours = f"decoder.layers.{i}."
            attention, mlp = layer.self_attn, layer.mlp
            for kind in ("weight", "bias"):
                def put(parameter, make, *modules):
                    values = [getattr(module, kind, None) for module in modules]
                    if values[0] is not None:
                        result[f"{ours}{parameter}.{kind}"] = make(*values)
                put("self_attention.linear_qkv", lambda q, k, v: fuse(q, k, v, config.num_key_value_heads),
                    attention.q_proj, attention.k_proj, attention.v_proj)
                put("self_attention.linear_proj", lambda x: x, attention.o_proj)
                put("input_layernorm", lambda x: x, layer.input_layernorm)
                put("pre_mlp_layernorm", lambda x: x, layer.post_attention_layernorm)
                if name.startswith("llama"):
                    put("mlp.linear_fc1", lambda *x: torch.cat(x), mlp.gate_proj, mlp.up_proj)
                else:
                    put("mlp.linear_fc1", lambda x: x, mlp.up_proj)
                put("mlp.linear_fc2", lambda x: x, mlp.down_proj)
    for kind in ("weight", "bias"):
        if f"{final}.{kind}" in weights:
            result[f"decoder.final_layernorm.{kind}"] = weights[f"{final}.{kind}"]
    if not config.tie_word_embeddings:
        result["output_layer.weight"] = weights["lm_head.weight"]
    return {key: value.detach() for key, value in result.items()}


def edit_config(folder, **fields):
    path = pathlib.Path(folder) / "config.json"
    config = json.loads(path.read_text())
    config.update(fields)
    path.write_text(json.dumps({key: value for key, value in config.items() if value is not Ellipsis}))


def logits(model):
    ids = torch.arange(40).reshape(2, 20) * 7 % VOCAB
    with torch.no_grad():
        return model(ids).logits


@pytest.mark.parametrize("name", CASES)
def test_untouched_model_comes_back(name, tmp_path):
    model = make_model(name, tmp_path / "in")
    roundtrip(tmp_path / "in", tmp_path / "out")
    assert_same_bytes(tensors(tmp_path / "in"), tensors(tmp_path / "out"))
    checkpoint = safetensors.torch.load_file(tmp_path / "out.run/checkpoints/step_00000000/model-00001.safetensors")
    assert_same_bytes(expected_parameters(name, model), checkpoint)
    before = json.loads((tmp_path / "in/config.json").read_text())
    after = json.loads((tmp_path / "out/config.json").read_text())
    assert {key: after[key] for key in before} == before
    added = after.keys() - before.keys()
    assert added <= {"torch_dtype", "rope_theta", "rope_scaling", "partial_rotary_factor"}
    reloaded = AutoModelForCausalLM.from_pretrained(tmp_path / "out").eval()
    assert torch.equal(logits(model), logits(reloaded))
    assert reloaded.config.to_dict().get("rope_parameters") == model.config.to_dict().get("rope_parameters")


@pytest.mark.parametrize("name", ["llama_gqa", "gpt2", "nemotron"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_sharded_half_precision(name, dtype, tmp_path):
    make_model(name, tmp_path / "in", dtype, max_shard_size="30KB")
    assert len(list((tmp_path / "in").glob("model-*.safetensors"))) > 2
    roundtrip(tmp_path / "in", tmp_path / "out", "source", 30_000)
    assert_same_bytes(tensors(tmp_path / "in"), tensors(tmp_path / "out"))
    index = json.loads((tmp_path / "out/model.safetensors.index.json").read_text())
    stored = tensors(tmp_path / "out")
    assert index["metadata"]["total_size"] == sum(value.nbytes for value in stored.values())
    assert index["weight_map"].keys() == stored.keys()
    for file in (tmp_path / "out").glob("model-*.safetensors"):
        within = safetensors.torch.load_file(file)
        assert sum(value.nbytes for value in within.values()) <= 30_000 or len(within) == 1
        assert all(index["weight_map"][key] == file.name for key in within)
    # Both are loaded: `to(dtype)` above also cast the rotary frequencies, which loading keeps in FP32.
    source = AutoModelForCausalLM.from_pretrained(tmp_path / "in", dtype="auto").eval()
    reloaded = AutoModelForCausalLM.from_pretrained(tmp_path / "out", dtype="auto").eval()
    assert reloaded.dtype == dtype
    assert torch.equal(logits(source), logits(reloaded))


@pytest.mark.parametrize("name", ["llama_gqa", "gpt2", "nemotron"])
def test_export_type_rounds_to_nearest_even(name, tmp_path):
    make_model(name, tmp_path / "in")
    for spelling, dtype in (("bf16", torch.bfloat16), ("float16", torch.float16)):
        roundtrip(tmp_path / "in", tmp_path / spelling, spelling)
        expected = {key: value.to(dtype) for key, value in tensors(tmp_path / "in").items()}
        assert_same_bytes(expected, tensors(tmp_path / spelling))
        config = json.loads((tmp_path / spelling / "config.json").read_text())
        assert config["torch_dtype"] == config["dtype"] == str(dtype).removeprefix("torch.")


def test_old_spelling_of_config(tmp_path):
    """transformers 4's fields: rope_theta, rope_scaling with `type`, torch_dtype, no rope_parameters."""
    model = make_model("llama3_rope", tmp_path / "in")
    scaling = {key: value for key, value in LLAMA3_ROPE.items() if key not in ("rope_type", "rope_theta")}
    edit_config(tmp_path / "in", rope_parameters=..., dtype=..., torch_dtype="float32", rope_theta=500000.0,
                rope_scaling={"type": "llama3", **scaling}, transformers_version="4.46.3", pretraining_tp=1,
                _name_or_path="somewhere", head_dim=...)
    roundtrip(tmp_path / "in", tmp_path / "out")
    before = json.loads((tmp_path / "in/config.json").read_text())
    after = json.loads((tmp_path / "out/config.json").read_text())
    assert after == {**before, "head_dim": 8}
    reloaded = AutoModelForCausalLM.from_pretrained(tmp_path / "out").eval()
    assert torch.equal(logits(model), logits(reloaded))


def test_nemotron_old_spelling(tmp_path):
    model = make_model("nemotron", tmp_path / "in")
    edit_config(tmp_path / "in", rope_parameters=..., dtype=..., torch_dtype="float32", rope_theta=10000.0,
                partial_rotary_factor=0.5)
    roundtrip(tmp_path / "in", tmp_path / "out")
    reloaded = AutoModelForCausalLM.from_pretrained(tmp_path / "out").eval()
    assert torch.equal(logits(model), logits(reloaded))


def test_every_default_field_is_accepted(tmp_path):
    """What save_pretrained writes without leaving out defaults: generation settings, labels and so on."""
    for name in ("llama_gqa", "gpt2", "nemotron"):
        model = make_model(name, tmp_path / name)
        (tmp_path / name / "config.json").write_text(model.config.to_json_string(use_diff=False))
        roundtrip(tmp_path / name, tmp_path / (name + "_out"))
        assert_same_bytes(tensors(tmp_path / name), tensors(tmp_path / (name + "_out")))


def test_gpt2_without_prefix_and_with_mask_buffers(tmp_path):
    """The layout of the first released GPT-2 file."""
    model = make_model("gpt2", tmp_path / "in")
    released = {key.removeprefix("transformer."): value for key, value in tensors(tmp_path / "in").items()}
    for layer in range(3):
        released[f"h.{layer}.attn.bias"] = torch.tril(torch.ones(1, 1, 64, 64))
        released[f"h.{layer}.attn.masked_bias"] = torch.tensor(-1e4)
    safetensors.torch.save_file(released, tmp_path / "in/model.safetensors")
    roundtrip(tmp_path / "in", tmp_path / "out")
    reloaded = AutoModelForCausalLM.from_pretrained(tmp_path / "out").eval()
    assert torch.equal(logits(model), logits(reloaded))
    assert all(key.startswith("transformer.") for key in tensors(tmp_path / "out"))


def test_stored_tied_head(tmp_path):
    make_model("llama_mha_tied", tmp_path / "in")
    stored = tensors(tmp_path / "in")
    stored["lm_head.weight"] = stored["model.embed_tokens.weight"].clone()
    safetensors.torch.save_file(stored, tmp_path / "in/model.safetensors", metadata={"format": "pt"})
    roundtrip(tmp_path / "in", tmp_path / "out")
    assert "lm_head.weight" not in tensors(tmp_path / "out")
    stored["lm_head.weight"][3, 5] += 1
    safetensors.torch.save_file(stored, tmp_path / "in/model.safetensors", metadata={"format": "pt"})
    assert "'lm_head.weight' differs from 'model.embed_tokens.weight'" in roundtrip(
        tmp_path / "in", tmp_path / "out2", fails=True)


def test_tokenizer_files_travel(tmp_path):
    make_model("llama_gqa", tmp_path / "in")
    for name in ("tokenizer.json", "tokenizer_config.json", "merges.txt"):
        (tmp_path / "in" / name).write_bytes(os.urandom(1000))
    roundtrip(tmp_path / "in", tmp_path / "out")
    for name in ("tokenizer.json", "tokenizer_config.json", "merges.txt", "generation_config.json"):
        assert (tmp_path / "in" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()


def test_zero_rows_are_reported(tmp_path):
    make_model("llama_gqa", tmp_path / "in")
    stored = tensors(tmp_path / "in")
    stored["model.embed_tokens.weight"][[0, 130]] = 0
    safetensors.torch.save_file(stored, tmp_path / "in/model.safetensors", metadata={"format": "pt"})
    assert "2 zero rows" in roundtrip(tmp_path / "in", tmp_path / "out")


@pytest.mark.parametrize("change, message", [
    ({"model_type": "qwen2"}, "model_type 'qwen2' is not supported"),
    ({"rope_parameters": {"rope_type": "yarn", "factor": 4.0, "rope_theta": 1e4}}, "yarn"),
    ({"rope_scaling": {"type": "dynamic", "factor": 2.0}}, "dynamic"),
    ({"sliding_window": 32}, "'sliding_window' is 32"),
    ({"quantization_config": {"bits": 4}}, "quantization_config"),
    ({"some_new_scale": 2.0}, "unknown field 'some_new_scale'"),
    ({"hidden_act": "mish"}, "mish"),
    ({"mlp_bias": True}, "mlp_bias"),
    ({"hidden_size": "48"}, "'hidden_size'"),
    ({"tie_word_embeddings": True}, "'lm_head.weight' differs"),
    ({"vocab_size": 132}, "'model.embed_tokens.weight' F32 [131, 48]"),
    ({"num_hidden_layers": 11}, "the model has no place for it"),
    ({"num_hidden_layers": 13}, "'model.layers.12.input_layernorm.weight' [48] is missing"),
])
def test_mistakes_are_named(change, message, tmp_path):
    make_model("llama_gqa", tmp_path / "in")
    edit_config(tmp_path / "in", **change)
    assert message in roundtrip(tmp_path / "in", tmp_path / "out", fails=True)
    assert not (tmp_path / "out").exists()
    assert os.listdir(tmp_path) == ["in"]  # no partial folder either


def test_gpt2_mistakes_are_named(tmp_path):
    make_model("gpt2", tmp_path / "in")
    for field in ("scale_attn_by_inverse_layer_idx", "add_cross_attention"):
        shutil.copytree(tmp_path / "in", tmp_path / field)
        edit_config(tmp_path / field, **{field: True})
        assert field in roundtrip(tmp_path / field, tmp_path / "out", fails=True)
