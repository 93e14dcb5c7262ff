"""Training steps against a plain PyTorch loop: same checkpoint, same .bin/.idx, megatron-core's order of samples."""

import json
import math
import pathlib

import numpy
import pytest
import torch
import transformers

from support import run_tool
from test_model import gpt2, llama, nemotron, randomised

STEPS, GLOBAL_BATCH, MICRO_BATCH, LENGTH = 20, 6, 2, 32
LR, MIN_LR, WARMUP, BETAS, EPS, DECAY, CLIP = 3e-3, 3e-4, 5, (0.9, 0.95), 1e-8, 0.1, 1.0


def write_corpus(prefix, vocab):
    """Documents with some structure, so that the loss moves."""
    from megatron.core.datasets.indexed_dataset import IndexedDatasetBuilder

    generator = numpy.random.RandomState(5)
    builder = IndexedDatasetBuilder(f"{prefix}.bin", dtype=numpy.uint16)
    for _ in range(120):
        start, step, length = generator.randint(vocab), generator.randint(1, 5), generator.randint(3, 120)
        builder.add_document(torch.tensor((start + step * numpy.arange(length)) % vocab), [length])
    builder.finalize(f"{prefix}.idx")


def megatron_samples(prefix, cache, count):
    """The first `count` samples in megatron-core's order, as [count, LENGTH + 1] token ids."""
    from megatron.core.datasets.gpt_dataset import GPTDataset, GPTDatasetConfig
    from megatron.core.datasets.indexed_dataset import IndexedDataset
    from megatron.core.datasets.utils import Split

    class NoTokenizer:
        eod, unique_identifiers = 0, {"class": "none"}
        pad = -1

    config = GPTDatasetConfig(random_seed=1234, sequence_length=LENGTH, blend=([prefix], None), split="100,0,0",
                              reset_position_ids=False, reset_attention_mask=False, eod_mask_loss=False,
                              tokenizer=NoTokenizer(), path_to_cache=str(cache), mid_level_dataset_surplus=0.005)
    low_level = IndexedDataset(prefix)
    dataset = GPTDataset(low_level, prefix, numpy.arange(low_level.sequence_lengths.shape[0], dtype=numpy.int32),
                         count, Split.train, config)
    rows = []
    for i in range(count):
        sample = dataset[i]
        rows.append(torch.cat([sample["tokens"], sample["labels"][-1:]]))
    return torch.stack(rows)


def learning_rate(step):
    if step < WARMUP:
        return LR * step / WARMUP
    if step >= STEPS:
        return MIN_LR
    return MIN_LR + (LR - MIN_LR) * 0.5 * (1 + math.cos(math.pi * (step - WARMUP) / (STEPS - WARMUP)))


def reference_losses(model, samples):
    decay = [p for p in model.parameters() if p.dim() > 1]
    other = [p for p in model.parameters() if p.dim() <= 1]
    optimizer = torch.optim.AdamW([{"params": decay, "weight_decay": DECAY}, {"params": other, "weight_decay": 0.0}],
                                  lr=LR, betas=BETAS, eps=EPS)
    losses, norms = [], []
    for step in range(1, STEPS + 1):
        batch = samples[(step - 1) * GLOBAL_BATCH:step * GLOBAL_BATCH]
        logits = model(input_ids=batch[:, :-1]).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP).item())
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step)
        optimizer.step()
        losses.append(loss.item())
    return losses, norms


@pytest.mark.parametrize("build", [llama, gpt2, nemotron], ids=["llama", "gpt2", "nemotron"])
def test_twenty_steps_follow_pytorch(build, tmp_path):
    model = randomised(build)
    model.save_pretrained(tmp_path / "hf")
    prefix = str(tmp_path / "corpus")
    write_corpus(prefix, model.config.vocab_size)
    run_tool("llm-pretrain", "pretrain", "llama_tiny", f"model.from={tmp_path / 'hf'}",
             f"model.family={ {'gpt2': 'gpt'}.get(model.config.model_type, model.config.model_type) }",
             f"data.train={prefix}", "data.split=100,0,0", f"data.sequence_length={LENGTH}",
             f"batch.global={GLOBAL_BATCH}", f"batch.micro={MICRO_BATCH}", f"optimizer.lr={LR}",
             f"optimizer.min_lr={MIN_LR}", f"optimizer.beta1={BETAS[0]}", f"optimizer.beta2={BETAS[1]}",
             f"optimizer.eps={EPS}", f"optimizer.weight_decay={DECAY}", f"optimizer.clip_norm={CLIP}",
             "schedule.kind=cosine", f"schedule.warmup_steps={WARMUP}", f"trainer.max_steps={STEPS}",
             "trainer.precision=fp32", "trainer.device=cpu", "trainer.eval_every=0", f"trainer.run_dir={tmp_path / 'run'}")
    ours = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    samples = megatron_samples(prefix, tmp_path / "cache", STEPS * GLOBAL_BATCH)
    losses, norms = reference_losses(model, samples)
    assert [m["step"] for m in ours] == list(range(1, STEPS + 1))
    for m, loss, norm in zip(ours, losses, norms):
        assert abs(m["loss"] - loss) <= 1e-4 * loss, f"step {m['step']}"
        assert abs(m["grad_norm"] - norm) <= 1e-3 * norm, f"step {m['step']}"
        assert m["learning_rate"] == pytest.approx(learning_rate(m["step"]))
    assert losses[-1] < losses[0]


def test_exported_run_loads_in_transformers(tmp_path):
    model = randomised(llama)
    model.save_pretrained(tmp_path / "hf")
    run_tool("llm-pretrain", "pretrain", "llama_tiny", f"model.from={tmp_path / 'hf'}", "data.mock=true",
             "data.sequence_length=32", "batch.global=2", "batch.micro=1", "trainer.max_steps=2", "schedule.warmup_steps=1",
             "trainer.precision=fp32", f"trainer.run_dir={tmp_path / 'run'}", "optimizer.lr=0.01", "optimizer.min_lr=0.001")
    run_tool("llm-pretrain", "export", "--checkpoint", tmp_path / "run", "--output", tmp_path / "out", "--dtype", "fp32")
    trained = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "out", dtype=torch.float32).eval()
    moved = (trained.model.embed_tokens.weight - model.model.embed_tokens.weight).abs().max().item()
    assert 0 < moved < 0.1
    assert pathlib.Path(tmp_path / "out" / "config.json").exists()
