"""diffusers' side of the comparison. See bench/diffusion-step.mjs."""

import json
import os
import resource
import sys
import time

import diffusers
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file


def waves(shape, step):
    count = 1
    for size in shape:
        count *= size
    return torch.sin(step * torch.arange(count, dtype=torch.float64)).float().reshape(shape)


def load(request):
    """A call without arguments -> what our side calls `answer` or `pixels`."""
    with open(os.path.join(request["folder"], "config.json")) as file:
        config = json.load(file)
    kind = UNet2DConditionModel if request["what"] == "unet" else AutoencoderKL
    model = kind.from_config(config)
    state = load_file(os.path.join(request["folder"], "diffusion_pytorch_model.safetensors"))
    missing, unexpected = model.load_state_dict(state, strict=False, assign=True)
    ours = [name for name in missing if not name.startswith(("encoder.", "quant_conv."))]
    assert not ours and not unexpected, (ours[:5], unexpected[:5])
    model.eval()
    side = request["side"]
    latents = waves((1, 4, side, side), 0.37)
    if request["what"] == "vae":
        scaled = latents / 0.18215
        return lambda: (model.decode(scaled).sample * 0.5 + 0.5).clamp(0, 1)
    context = waves((1, 77, config["cross_attention_dim"]), 0.11)
    classes = config.get("projection_class_embeddings_input_dim")
    labels = waves((1, classes), 0.23) if classes else None
    return lambda: model(latents, 500, context, class_labels=labels).sample


def main():
    call = None
    for line in sys.stdin:
        request = json.loads(line)
        with torch.inference_mode():
            if request["do"] == "load":
                torch.set_num_threads(request["threads"])
                call = load(request)
                sample = call().flatten()[:64].tolist()
                answer = {"sample": sample, "version": f"{diffusers.__version__} on PyTorch {torch.__version__}"}
            elif request["do"] == "time":
                begin = time.perf_counter()
                call()
                answer = {"ms": 1000 * (time.perf_counter() - begin)}
            else:
                answer = {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
        print(json.dumps(answer), flush=True)


main()
