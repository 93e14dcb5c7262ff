"""Logits and every gradient of each family against `transformers`, in FP32, on small random checkpoints."""

import pytest
import safetensors.torch
import torch
import transformers

from support import REPOSITORY, run_tool  # noqa: F401  (tests/parity/support.py)

ROPE_LLAMA3 = dict(rope_type="llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                   original_max_position_embeddings=64)


def llama(**changes):
    values = dict(vocab_size=131, hidden_size=48, intermediate_size=80, num_hidden_layers=3, num_attention_heads=6,
                  num_key_value_heads=2, max_position_embeddings=256, tie_word_embeddings=False,
                  initializer_range=0.1) | changes
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**values))


def gpt2(**changes):
    values = dict(vocab_size=97, n_embd=40, n_layer=2, n_head=5, n_positions=128, resid_pdrop=0.0, embd_pdrop=0.0,
                  attn_pdrop=0.0, initializer_range=0.1) | changes
    return transformers.GPT2LMHeadModel(transformers.GPT2Config(**values))


def nemotron(**changes):
    values = dict(vocab_size=101, hidden_size=48, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
                  num_key_value_heads=2, max_position_embeddings=128, initializer_range=0.1) | changes
    return transformers.NemotronForCausalLM(transformers.NemotronConfig(**values))


CASES = {
    "llama-gqa": lambda: llama(),
    "llama-mha": lambda: llama(num_key_value_heads=6),
    "llama-mqa": lambda: llama(num_key_value_heads=1),
    "llama-tied": lambda: llama(tie_word_embeddings=True),
    "llama-biases": lambda: llama(attention_bias=True, mlp_bias=True),
    "llama-head-dim": lambda: llama(head_dim=16),
    "llama-rope-llama3": lambda: llama(rope_parameters=ROPE_LLAMA3),
    "llama-rope-linear": lambda: llama(rope_parameters=dict(rope_type="linear", rope_theta=10000.0, factor=4.0)),
    "gpt2": lambda: gpt2(),
    "gpt2-inner": lambda: gpt2(n_inner=72),
    "gpt2-unscaled": lambda: gpt2(scale_attn_weights=False),
    "nemotron-gqa": lambda: nemotron(),
    "nemotron-mha-biases": lambda: nemotron(num_key_value_heads=4, attention_bias=True, mlp_bias=True),
    "nemotron-partial": lambda: nemotron(partial_rotary_factor=0.25, head_dim=16),
}


def randomised(build):
    """A model whose biases and norms are not at their trivial initial values, so that a dropped one shows."""
    torch.manual_seed(7)
    model = build().float().eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.randn_like(parameter) * 0.2)
    return model


def inputs(model, sequences=3, length=41):
    generator = torch.Generator().manual_seed(3)
    tokens = torch.randint(0, model.config.vocab_size, (sequences, length + 1), generator=generator)
    weights = torch.ones(sequences, length)
    weights[1, 5:9] = 0
    return tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous(), weights / weights.sum()


def reference(model, tokens, labels, weights):
    logits = model(input_ids=tokens).logits
    losses = torch.nn.functional.cross_entropy(logits.flatten(0, 1).double(), labels.flatten(), reduction="none")
    loss = (losses * weights.flatten()).sum()
    loss.backward()
    return logits.detach().flatten(0, 1), loss.detach()


def relative(ours, theirs):
    return ((ours.double() - theirs.double()).norm() / theirs.double().norm().clamp_min(1e-12)).item()


@pytest.mark.parametrize("recompute", ["none", "selective", "full"])
@pytest.mark.parametrize("case", CASES)
def test_logits_and_gradients(case, recompute, tmp_path):
    model = randomised(CASES[case])
    tokens, labels, weights = inputs(model)
    model.save_pretrained(tmp_path / "hf")
    safetensors.torch.save_file({"tokens": tokens, "labels": labels, "weights": weights}, tmp_path / "in.safetensors")
    run_tool("model_tool", tmp_path / "hf", tmp_path / "in.safetensors", tmp_path / "out.safetensors", recompute)
    ours = safetensors.torch.load_file(tmp_path / "out.safetensors")

    logits, loss = reference(model, tokens, labels, weights)
    assert (ours["logits"] - logits).abs().max() <= 1e-5 * logits.abs().max()
    assert abs(ours["loss"].item() - loss.item()) <= 1e-5 * loss.item()
    gradients = {name: p.grad for name, p in model.named_parameters()}
    assert {key.removeprefix("grad.") for key in ours if key.startswith("grad.")} == set(gradients)
    worst = {name: relative(ours["grad." + name], gradient) for name, gradient in gradients.items()
             if gradient.norm() > 1e-9}
    assert len(worst) > len(gradients) // 2
    assert max(worst.values()) <= 1e-5, sorted(worst.items(), key=lambda item: -item[1])[:5]
