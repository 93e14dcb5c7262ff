"""The peer of scripts/bench gpu: it computes what transformers computes, with the attention that it is to be measured with."""

import pathlib
import sys
import weakref

import pytest
import torch

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import bench_gpu_reference as peer  # noqa: E402

TINY = {"vocab_size": 97, "hidden": 64, "ffn_hidden": 96, "layers": 2, "heads": 4, "kv_heads": 2, "max_positions": 64, "rope_theta": 10000.0,
        "norm_eps": 1e-5, "tied_embeddings": False}
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(peer, "kernel", None)
    torch.compiler.reset()
    torch.manual_seed(3)


def tokens():
    return torch.randint(0, TINY["vocab_size"], (2, 48))


def compiled(model):
    """The operators that torch.compile makes of a model's forward: as it is written, and as it is run."""
    from torch._dynamo.backends.common import aot_autograd
    from torch._functorch.aot_autograd import make_boxed_func

    written, run = [], []

    def keep(graph, _):
        run.extend(node for node in graph.graph.nodes if node.op == "call_function")
        return make_boxed_func(graph.forward)

    def backend(graph, inputs):
        written.extend(node for node in graph.graph.nodes if node.op == "call_function")
        return aot_autograd(fw_compiler=keep)(graph, inputs)

    batch = tokens()
    torch.compile(model, backend=backend)(input_ids=batch, labels=batch).loss.backward()
    attention = [node for node in written if node.target is torch._C._nn.scaled_dot_product_attention]
    assert len(attention) == TINY["layers"]
    return attention, {str(node.target).split(".")[1] for node in run if "scaled_dot_product" in str(node.target)}


def test_it_has_the_loss_of_transformers_own_attention():
    ours = peer.model_of(TINY, 64, CPU)
    theirs = peer.model_of(TINY, 64, CPU, attention="sdpa")
    theirs.load_state_dict(ours.state_dict())
    batch = tokens()
    losses = [model(input_ids=batch, labels=batch).loss for model in (ours, theirs)]
    assert losses[0].item() == pytest.approx(losses[1].item(), rel=1e-6)
    for loss in losses:
        loss.backward()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-4, atol=1e-6)


def test_compiled_it_is_causal_and_has_no_mask():
    for node in compiled(peer.model_of(TINY, 64, CPU))[0]:
        assert node.kwargs["is_causal"] is True and node.kwargs["enable_gqa"] is True
        assert node.kwargs.get("attn_mask") is None and len(node.args) == 3


def test_transformers_own_attention_has_a_mask_when_compiled():
    """Why the peer brings its own. When this fails, it need not any more."""
    assert all(node.kwargs.get("attn_mask") is not None for node in compiled(peer.model_of(TINY, 64, CPU, attention="sdpa"))[0])


def test_a_mask_is_refused():
    batch = torch.zeros(1, 2, 4, 8)
    with pytest.raises(ValueError, match="got a mask"):
        peer.causal(None, batch, batch, batch, torch.ones(4, 4, dtype=torch.bool))


def test_compiled_it_takes_the_kernel_that_is_asked_for(monkeypatch):
    model, seen = peer.model_of(TINY, 64, CPU), []
    for name in ("flash", "math", "flash"):
        monkeypatch.setattr(peer, "kernel", peer.KERNELS["cpu"][name])
        torch.compiler.reset()
        seen.append(compiled(model)[1])
    assert ["_scaled_dot_product_flash_attention_for_cpu" in operators for operators in seen] == [True, False, True]  # math has none of its own


def test_each_kernel_is_compiled_once(monkeypatch):
    graphs, model, batch = [], peer.model_of(TINY, 64, CPU), tokens()
    run = torch.compile(model, backend=lambda graph, inputs: graphs.append(graph) or graph.forward)
    for name, count in (("flash", 1), ("math", 2), ("flash", 2), ("math", 2)):
        monkeypatch.setattr(peer, "kernel", peer.KERNELS["cpu"][name])
        run(input_ids=batch, labels=batch)
        assert len(graphs) == count, name


def test_the_faster_kernel_is_chosen_and_one_that_fails_is_not():
    def step():
        if peer.kernel == "broken":
            raise RuntimeError("No available kernel.\nmore")
        return {"slow": 2.0, "fast": 1.0}[peer.kernel]

    best, seconds = peer.fastest(step, {"a": "slow", "b": "fast", "c": "broken"})
    assert (best, peer.kernel) == ("b", "fast") and seconds == {"a": 2.0, "b": 1.0, "c": "No available kernel."}
    with pytest.raises(RuntimeError, match="No available kernel"):
        peer.fastest(step, {"c": "broken"})


def test_a_failed_trials_tensors_are_gone_in_the_next():
    alive, cleared = [], []

    def step():
        if peer.kernel == "big":
            activations = torch.zeros(1000)
            alive.append(weakref.ref(activations))
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 GiB.\nmore")
        assert alive[0]() is None and cleared == ["big"]
        return 1.0

    best, seconds = peer.fastest(step, {"a": "big", "b": "small"}, lambda: cleared.append(peer.kernel))
    assert best == "b" and seconds["a"] == "CUDA out of memory. Tried to allocate 1 GiB." and cleared == ["big", "small"]


@pytest.mark.parametrize("order", [["memory", "none"], ["none", "memory"]])
def test_too_little_memory_for_any_kernel_is_that_though_another_is_not_available(order):
    def step():
        raise {"memory": torch.OutOfMemoryError("CUDA out of memory."), "none": RuntimeError("No available kernel.")}[peer.kernel]

    with pytest.raises(torch.OutOfMemoryError, match="(?s)No available kernel.*out of memory|out of memory.*No available kernel"):
        peer.fastest(step, dict(zip("ab", order)))
