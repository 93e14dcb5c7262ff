"""The peer of scripts/bench gpu: the same Llama in `transformers`, with torch.compile and PyTorch's fused AdamW on FP32 weights
under BF16 autocast. Prints one JSON object; {"out_of_memory": true} where it does not fit.

    scripts/oracle-python tools/bench_gpu_reference.py RUN/config.json --micro N --global N --length N --steps N [--device cpu] [--eager]
"""

import argparse
import json
import pathlib
import resource
import time

import torch
import transformers


def model_of(m, length):
    config = transformers.LlamaConfig(
        vocab_size=m["vocab_size"], hidden_size=m["hidden"], intermediate_size=m["ffn_hidden"],
        num_hidden_layers=m["layers"], num_attention_heads=m["heads"], num_key_value_heads=m["kv_heads"],
        max_position_embeddings=max(m["max_positions"], length), rope_theta=m["rope_theta"], rms_norm_eps=m["norm_eps"],
        tie_word_embeddings=m["tied_embeddings"], use_cache=False)
    return transformers.LlamaForCausalLM._from_config(config, attn_implementation="sdpa")


def train(arguments, model, recipe):
    device = torch.device(arguments.device)
    model = model.to(device).train()
    if arguments.recompute:
        model.gradient_checkpointing_enable()
    run = model if arguments.eager else torch.compile(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    micro_batches = arguments.global_batch // arguments.micro
    tokens = torch.randint(0, recipe["model"]["vocab_size"], (micro_batches, arguments.micro, arguments.length), device=device)
    seconds = []
    for _ in range(arguments.steps):
        start = time.perf_counter()
        for batch in tokens:
            with torch.autocast(device.type, dtype=torch.bfloat16):
                loss = run(input_ids=batch, labels=batch).loss / micro_batches
            loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        loss.item()
        seconds.append(time.perf_counter() - start)
    on_gpu = device.type == "cuda"
    peak = torch.cuda.max_memory_allocated() if on_gpu else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"step_seconds": seconds, "memory_bytes": peak}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("recipe", type=pathlib.Path, help="config.json of a run, which has every setting")
    parser.add_argument("--micro", type=int, required=True)
    parser.add_argument("--global", dest="global_batch", type=int, required=True)
    parser.add_argument("--length", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--eager", action="store_true", help="without torch.compile")
    parser.add_argument("--recompute", action="store_true", help="gradient checkpointing")
    arguments = parser.parse_args()
    recipe = json.loads(arguments.recipe.read_text())
    torch.manual_seed(0)
    torch.set_float32_matmul_precision("high")
    try:
        result = train(arguments, model_of(recipe["model"], arguments.length), recipe)
    except torch.OutOfMemoryError:
        result = {"out_of_memory": True}
    print(json.dumps(result | {"torch": torch.__version__, "transformers": transformers.__version__}))


if __name__ == "__main__":
    main()
