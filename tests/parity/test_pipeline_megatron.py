"""Pipeline schedules against megatron-core's own loops.

Megatron writes its schedules as loops that run the model and talk to other ranks. Here they run for one stage at a time,
with a model and a communicator that only write down what is called.
"""

import itertools
import json
import types

import pytest
import torch

from support import run_tool

schedules = pytest.importorskip("megatron.core.pipeline_parallel.schedules")
enums = pytest.importorskip("megatron.core.transformer.enums")
transformer_config = pytest.importorskip("megatron.core.transformer.transformer_config")


class Group:
    def __init__(self, size=1, rank=0):
        self._size, self._rank = size, rank

    def size(self):
        return self._size

    def rank(self):
        return self._rank


class Chunk(torch.nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.model_type = enums.ModelType.encoder_or_decoder


class Messages:
    """A communicator whose every receive brings something."""

    def __init__(self, stages, stage, chunks, config):
        self.pp_group = Group(stages, stage)
        self.virtual_pipeline_model_parallel_size = chunks
        self.config = config

    def __getattr__(self, name):
        if name == "send_forward_backward_recv_forward_backward":
            return lambda *_, **__: ("activation", "gradient")
        return lambda *_, **__: "tensor"


@pytest.fixture
def recorded(monkeypatch):
    """The list that Megatron's forward and backward steps write to."""
    actions = []

    def forward_step(*_, current_microbatch, vp_stage=0, **__):
        actions.append(["F", vp_stage, current_microbatch])
        return (vp_stage, current_microbatch), 0

    def backward_step(_input, output, *_):
        actions.append(["B", *output])

    zeros = torch.zeros
    monkeypatch.setattr(torch, "zeros", lambda *sizes, device=None, **more: zeros(*sizes, **more))
    monkeypatch.setattr(schedules, "forward_step", forward_step)
    monkeypatch.setattr(schedules, "backward_step", backward_step)
    return actions


def megatron(recorded, stages, stage, chunks, micro_batches, group, forward_only=False):
    interleaved = chunks is not None
    config = transformer_config.TransformerConfig(
        num_layers=stages * (chunks or 1), hidden_size=8, num_attention_heads=1, pipeline_model_parallel_size=stages,
        virtual_pipeline_model_parallel_size=chunks, pipeline_dtype=torch.float32,
        microbatch_group_size_per_vp_stage=group)
    groups = types.SimpleNamespace(**{name: Group() for name in ("tp", "cp", "embd", "pos_embd", "pp", "dp_cp")})
    run = (schedules.forward_backward_pipelining_with_interleaving if interleaved
           else schedules.forward_backward_pipelining_without_interleaving)
    recorded.clear()
    run(forward_step_func=None, data_iterator=[None] * (chunks or 1), model=[Chunk(config) for _ in range(chunks or 1)],
        num_microbatches=micro_batches, seq_length=8, micro_batch_size=1, forward_only=forward_only,
        p2p_communicator=Messages(stages, stage, chunks, config), pg_collection=groups)
    return list(recorded)


def ours(requests):
    lines = run_tool("pipeline_tool", input="".join(json.dumps(r) + "\n" for r in requests)).stdout.splitlines()
    assert len(lines) == len(requests)
    return [json.loads(line) for line in lines]


def test_one_forward_one_backward(recorded):
    shapes = list(itertools.product(range(2, 9), range(1, 18)))
    answers = ours([{"kind": "1f1b", "stages": p, "chunks": 1, "micro_batches": m} for p, m in shapes])
    for (stages, micro_batches), answer in zip(shapes, answers):
        for stage in range(stages):
            expected = megatron(recorded, stages, stage, None, micro_batches, None)
            assert answer["stages"][stage] == expected, (stages, micro_batches, stage)


def test_interleaved(recorded):
    shapes = [(p, v, m) for p, v, m in itertools.product((2, 3, 4, 6, 8), (2, 3, 4), range(1, 18)) if m >= p]
    answers = ours([{"kind": "interleaved", "stages": p, "chunks": v, "micro_batches": m} for p, v, m in shapes])
    for (stages, chunks, micro_batches), answer in zip(shapes, answers):
        for stage in range(stages):
            expected = megatron(recorded, stages, stage, chunks, micro_batches, answer["group"])
            assert answer["stages"][stage] == expected, (stages, chunks, micro_batches, stage)


def test_forward_only(recorded):
    shapes = [(p, v, m) for p, v, m in itertools.product((2, 3, 4), (1, 2, 3), range(1, 12)) if m >= p]
    answers = ours([{"kind": "forward_only", "stages": p, "chunks": v, "micro_batches": m} for p, v, m in shapes])
    for (stages, chunks, micro_batches), answer in zip(shapes, answers):
        for stage in range(stages):
            expected = megatron(recorded, stages, stage, chunks if chunks > 1 else None, micro_batches, answer["group"],
                                forward_only=True)
            assert answer["stages"][stage] == expected, (stages, chunks, micro_batches, stage)


def test_the_group_is_the_smallest_that_megatron_takes(recorded):
    shapes = [(p, m) for p, m in itertools.product((2, 3, 4, 5), range(2, 14)) if m >= p]
    answers = ours([{"kind": "interleaved", "stages": p, "chunks": 2, "micro_batches": m} for p, m in shapes])
    for (stages, micro_batches), answer in zip(shapes, answers):
        for group in range(stages, answer["group"]):
            with pytest.raises((RuntimeError, ValueError)):
                megatron(recorded, stages, 0, 2, micro_batches, group)
