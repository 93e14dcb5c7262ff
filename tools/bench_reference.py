"""The peer of scripts/bench: the same Llama in `transformers`, trained with PyTorch's fused AdamW. Prints one JSON object.

    scripts/oracle-python tools/bench_reference.py RECIPE.json --precision fp32|bf16 --steps N --threads N
"""

import argparse
import json
import re
import resource
import time

import torch
import transformers


def model_of(recipe):
    m = recipe["model"]
    config = transformers.LlamaConfig(
        vocab_size=m["vocab_size"], hidden_size=m["hidden"], intermediate_size=m["ffn_hidden"],
        num_hidden_layers=m["layers"], num_attention_heads=m["heads"], num_key_value_heads=m["kv_heads"],
        max_position_embeddings=m["max_positions"], tie_word_embeddings=False, use_cache=False)
    return transformers.LlamaForCausalLM._from_config(config, attn_implementation="sdpa")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("recipe")
    parser.add_argument("--precision", choices=["fp32", "bf16"], required=True)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    recipe = json.loads(re.sub(r"(?m)^\s*//.*$", "", open(arguments.recipe).read()))
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    model = model_of(recipe).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    batch, length = recipe["batch"]["global"], recipe["data"]["sequence_length"]
    tokens = torch.randint(0, recipe["model"]["vocab_size"], (arguments.steps, batch, length))
    seconds = []
    for step in range(arguments.steps):
        start = time.perf_counter()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=arguments.precision == "bf16"):
            loss = model(input_ids=tokens[step], labels=tokens[step]).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        loss.item()
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"step_seconds": seconds, "memory_bytes": peak, "torch": torch.__version__,
                      "transformers": transformers.__version__}))


if __name__ == "__main__":
    main()
