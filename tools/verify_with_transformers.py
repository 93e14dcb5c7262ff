#!/usr/bin/env python3
"""What `transformers` computes, for `llm-pretrain verify` to compare with.

  verify_with_transformers.py HF_DIR IN.safetensors OUT.safetensors

IN holds tokens (int64 [n]), prompt (the UTF-8 bytes of a text; empty when there is no tokenizer), prompt_ids (int64:
what the greedy continuation starts from when there is no tokenizer) and max_new_tokens (int64 [1]). OUT gets, in FP32,
"layer.0" (the embedding) to "layer.N" (each layer's output) [n, hidden], "final" (after the last norm) and "logits",
and the prompt's ids, the greedy continuation's ids and its text. Exit code 3: a package is missing.
"""

import sys

try:
    import safetensors.torch
    import torch
    import transformers
except ImportError as error:
    print(error, file=sys.stderr)
    sys.exit(3)


def load(folder):
    arguments = dict(attn_implementation="eager", low_cpu_mem_usage=True)
    try:
        model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **arguments)
    except TypeError:  # the name before transformers 4.56
        model = transformers.AutoModelForCausalLM.from_pretrained(folder, torch_dtype=torch.float32, **arguments)
    return model.eval()


def decoder_layers(model):
    count = model.config.num_hidden_layers
    lists = [m for m in model.base_model.modules() if isinstance(m, torch.nn.ModuleList) and len(m) == count]
    if not lists:
        sys.exit(f"{type(model).__name__} has no list of {count} layers")
    return lists[0]


def run_layers(model, tokens):
    """The embedding, each layer's output, the normed last one, and the logits."""
    outputs, layers = {}, decoder_layers(model)

    def keep_input(module, arguments, keywords):
        outputs["layer.0"] = arguments[0] if arguments else keywords["hidden_states"]

    def keep_output(index):
        def hook(module, arguments, output):
            outputs[f"layer.{index + 1}"] = output[0] if isinstance(output, tuple) else output

        return hook

    handles = [layers[0].register_forward_pre_hook(keep_input, with_kwargs=True)]
    handles += [layer.register_forward_hook(keep_output(i)) for i, layer in enumerate(layers)]
    final = model.base_model(input_ids=tokens[None]).last_hidden_state
    for handle in handles:
        handle.remove()
    outputs = {name: value.reshape(len(tokens), -1) for name, value in outputs.items()}
    outputs["final"] = final[0]
    outputs["logits"] = model(input_ids=tokens[None]).logits[0]
    return {name: value.detach().float().contiguous().clone() for name, value in outputs.items()}


def greedy(model, ids, count):
    new, feed, past = [], ids, None
    for _ in range(min(count, model.config.max_position_embeddings - len(ids))):
        result = model(input_ids=torch.tensor([feed]), past_key_values=past, use_cache=True)
        past = result.past_key_values
        feed = [int(result.logits[0, -1].argmax())]
        new += feed
    return new


def main(folder, input_file, output_file):
    given = safetensors.torch.load_file(input_file)
    prompt = bytes(given["prompt"].tolist()).decode()
    with torch.no_grad():
        model = load(folder)
        out = run_layers(model, given["tokens"])
        ids, text = given["prompt_ids"].tolist(), ""
        if prompt:
            from tokenizers import Tokenizer

            tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
            ids = tokenizer.encode(prompt).ids
        new = greedy(model, ids, int(given["max_new_tokens"]))
        if prompt:
            text = tokenizer.decode(new, skip_special_tokens=True)
    out["prompt_ids"] = torch.tensor(ids, dtype=torch.int64)
    out["greedy_ids"] = torch.tensor(new, dtype=torch.int64)
    out["greedy_text"] = torch.tensor(list(text.encode()), dtype=torch.uint8)
    safetensors.torch.save_file(out, output_file, metadata={"transformers": transformers.__version__})


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
