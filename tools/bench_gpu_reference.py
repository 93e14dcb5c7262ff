"""The peer of scripts/bench gpu: the same Llama in `transformers`, with torch.compile and PyTorch's fused AdamW on FP32 weights
under BF16 autocast. Prints one JSON object; {"out_of_memory": true} where it does not fit.

    scripts/oracle-python tools/bench_gpu_reference.py RUN/config.json --micro N --global N --length N --steps N --warmup N
        [--device cpu] [--backend NAME] [--eager]

`began` and `ended` of the measured steps are of time.monotonic(), which all processes of a machine share.
"""

import argparse
import contextlib
import gc
import json
import pathlib
import resource
import time

import torch
import transformers
from torch.nn.attention import SDPBackend, sdpa_kernel

# The kernels that are tried. On the CPU they only rehearse the choice.
KERNELS = {"cuda": {"flash": SDPBackend.FLASH_ATTENTION, "cudnn": SDPBackend.CUDNN_ATTENTION},
           "cpu": {"flash": SDPBackend.FLASH_ATTENTION, "math": SDPBackend.MATH}}
TRIAL_STEPS = 3  # of each kernel, of which the first compiles

kernel = None  # torch.compile compiles anew when it changes, and keeps what it has for the others


def causal(module, query, key, value, attention_mask, dropout=0.0, scaling=None, **_):
    """Causal attention that needs no mask. With transformers' own "sdpa" torch.compile gets one of [batch, 1, length, length], and
    PyTorch's fast kernels take none."""
    if attention_mask is not None:
        raise ValueError("the peer's attention got a mask: its speed would be that of a slow kernel")
    with sdpa_kernel(kernel) if kernel is not None else contextlib.nullcontext():
        out = torch.nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True, scale=scaling,
                                                               enable_gqa=query.shape[1] != key.shape[1])
    return out.transpose(1, 2).contiguous(), None


transformers.AttentionInterface.register("causal", causal)


def model_of(m, length, device, attention="causal"):
    config = transformers.LlamaConfig(
        vocab_size=m["vocab_size"], hidden_size=m["hidden"], intermediate_size=m["ffn_hidden"],
        num_hidden_layers=m["layers"], num_attention_heads=m["heads"], num_key_value_heads=m["kv_heads"],
        max_position_embeddings=max(m["max_positions"], length), rope_theta=m["rope_theta"], rms_norm_eps=m["norm_eps"],
        tie_word_embeddings=m["tied_embeddings"], use_cache=False)
    with device:  # billions of random numbers take minutes on a host
        return transformers.LlamaForCausalLM._from_config(config, attn_implementation=attention)


def fastest(step, kernels, clear=lambda: None):
    """The kernel with the fastest step, and each one's seconds or problem. `clear` gives a step's memory back, after each kernel's."""
    global kernel
    seconds, problems, memory = {}, [], False
    for name, kernel in kernels.items():
        try:
            seconds[name] = min([step() for _ in range(TRIAL_STEPS)][1:])
        except RuntimeError as error:  # its text alone is kept: with the error its frames would live on, and all tensors in them
            seconds[name] = str(error).splitlines()[0]
            problems.append(f"{name}: {error}")
            memory |= isinstance(error, torch.OutOfMemoryError)
        clear()
    usable = {name: time for name, time in seconds.items() if isinstance(time, float)}
    if not usable:
        raise (torch.OutOfMemoryError if memory else RuntimeError)("\n".join(problems))
    best = min(usable, key=usable.get)
    kernel = kernels[best]
    return best, seconds


def train(arguments, recipe):
    device = torch.device(arguments.device)
    model = model_of(recipe["model"], arguments.length, device).train()
    if arguments.recompute:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    run = model if arguments.eager else torch.compile(model, backend=arguments.backend)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    micro_batches = arguments.global_batch // arguments.micro
    tokens = torch.randint(0, recipe["model"]["vocab_size"], (micro_batches, arguments.micro, arguments.length), device=device)

    def step():
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        for batch in tokens:
            with torch.autocast(device.type, dtype=torch.bfloat16):
                loss = run(input_ids=batch, labels=batch).loss / micro_batches
            loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        loss.item()
        return time.perf_counter() - start

    on_gpu = device.type == "cuda"

    def clear():
        optimizer.zero_grad(set_to_none=True)
        gc.collect()
        if on_gpu:
            torch.cuda.empty_cache()

    attention, trials = fastest(step, KERNELS[device.type], clear)
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    seconds = [step() for _ in range(arguments.warmup)]
    began = time.monotonic()
    seconds += [step() for _ in range(arguments.steps - arguments.warmup)]
    peak = torch.cuda.max_memory_allocated() if on_gpu else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"step_seconds": seconds, "began": began, "ended": time.monotonic(), "memory_bytes": peak, "attention": attention,
            "attention_trials": trials}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("recipe", type=pathlib.Path, help="config.json of a run, which has every setting")
    parser.add_argument("--micro", type=int, required=True)
    parser.add_argument("--global", dest="global_batch", type=int, required=True)
    parser.add_argument("--length", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--warmup", type=int, required=True, help="steps at the beginning that are not counted")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--backend", default="inductor", help="of torch.compile")
    parser.add_argument("--eager", action="store_true", help="without torch.compile")
    parser.add_argument("--recompute", action="store_true", help="gradient checkpointing")
    arguments = parser.parse_args()
    recipe = json.loads(arguments.recipe.read_text())
    torch.manual_seed(0)
    torch.set_float32_matmul_precision("high")
    try:
        result = train(arguments, recipe)
    except torch.OutOfMemoryError:
        result = {"out_of_memory": True}
    print(json.dumps(result | {"torch": torch.__version__, "transformers": transformers.__version__}))


if __name__ == "__main__":
    main()
