"""What the command line tests share: the program, small models with tokenizers, and prepared text."""

import hashlib
import json
import os
import pathlib
import struct
import subprocess

import tokenizers
import torch
import transformers

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get(
    "LLM_PRETRAIN", str(pathlib.Path(os.environ.get("LONGHAUL_BUILD_DIR", ROOT / "build")) / "bin/llm-pretrain")
)
TEXT = [f"Line {i}: the quick brown fox jumps over {i * 37 % 101} lazy dogs, naïve café, 東京 and Ελλάδα." for i in range(60)]


def run(*arguments, text=True, env=None, program=PROGRAM, **more):
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=text, timeout=300, env=os.environ | (env or {}), **more)


def ok(*arguments, **more):
    result = run(*arguments, **more)
    assert result.returncode == 0, result.stderr
    return result


def fails(code, message, *arguments, **more):
    """The command ends with this code, and one error line that holds the message (or each of several)."""
    result = run(*arguments, **more)
    assert result.returncode == code, (result.returncode, result.stderr)
    error = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(error) == 1 and "terminate" not in result.stderr, result.stderr
    for part in [message] if isinstance(message, str) else message:
        assert part in result.stderr, result.stderr
    return result


def snapshot(folder):
    """Every file below a folder with a digest of its bytes, to see that nothing changed."""
    files = (path for path in sorted(pathlib.Path(folder).rglob("*")) if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def make_tokenizer(folder, size=400):
    """A byte-level BPE tokenizer with an end-of-text token."""
    from tokenizers import decoders, models, pre_tokenizers, trainers

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=["<|endoftext|>"], show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(TEXT, trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|endoftext|>"}))
    return tokenizer


def build(family, vocab_size=400, **changes):
    eos = dict(bos_token_id=0, eos_token_id=0)
    if family == "gpt2":
        config = transformers.GPT2Config(**dict(
            vocab_size=vocab_size, n_embd=48, n_layer=3, n_head=4, n_positions=128, resid_pdrop=0.0, embd_pdrop=0.0,
            attn_pdrop=0.0, initializer_range=0.1) | eos | changes)
        return transformers.GPT2LMHeadModel(config)
    shared = dict(vocab_size=vocab_size, hidden_size=48, intermediate_size=96, num_hidden_layers=3,
                  num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=256, initializer_range=0.1)
    if family == "nemotron":
        return transformers.NemotronForCausalLM(transformers.NemotronConfig(**shared | eos | changes))
    rope = dict(rope_parameters=dict(rope_type="llama3", rope_theta=10000.0, factor=4.0, low_freq_factor=1.0,
                                     high_freq_factor=4.0, original_max_position_embeddings=64))
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**shared | rope | eos | changes))


def make_model(folder, family="llama", dtype=torch.float32, shard="5GB", **changes):
    """A small random Hugging Face folder with a tokenizer. Norms and biases are not at their trivial values."""
    torch.manual_seed(11)
    model = build(family, **changes).float().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.randn_like(parameter) * 0.2)
    model.to(dtype).save_pretrained(folder, max_shard_size=shard)
    make_tokenizer(folder)
    return model


def write_jsonl(path, texts=TEXT):
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return path


def prepare(folder, tokenizer, texts=TEXT, name="corpus"):
    """Prepared data; returns the prefix."""
    corpus = write_jsonl(folder / f"{name}.jsonl", texts)
    ok("prepare", "--input", corpus, "--tokenizer", tokenizer, "--output-prefix", folder / name, "--append-eod",
       "--workers", 1)
    return folder / f"{name}_text_document"


def write_dataset(prefix, documents):
    """A .bin/.idx pair of 16-bit ids, written from the format's description."""
    lengths = [len(document) for document in documents]
    with open(f"{prefix}.bin", "wb") as file:
        for document in documents:
            file.write(struct.pack(f"<{len(document)}H", *document))
    offsets, position = [], 0
    for length in lengths:
        offsets.append(position)
        position += 2 * length
    n = len(lengths)
    with open(f"{prefix}.idx", "wb") as file:
        file.write(b"MMIDIDX\0\0" + struct.pack("<QBQQ", 1, 8, n, n + 1))
        file.write(struct.pack(f"<{n}i{n}q{n + 1}q", *lengths, *offsets, *range(n + 1)))
    return prefix


def pretrain(model, data, run_dir, *overrides, recipe="llama_tiny"):
    """The arguments of a short run."""
    return ["pretrain", recipe, f"model.from={model}", f"data.train={data}", f"trainer.run_dir={run_dir}",
            "data.sequence_length=32", "batch.global=2", "batch.micro=1", "trainer.max_steps=2",
            "schedule.warmup_steps=0",
            "trainer.precision=fp32", "trainer.threads=1", "trainer.device=cpu", *overrides]
