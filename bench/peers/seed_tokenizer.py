"""PyTorch's side of the full-size comparison: the same architecture from transformers. See bench/full-size.mjs."""

import json
import os
import resource
import sys
import time

START = time.perf_counter()

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import Blip2QFormerConfig, Blip2QFormerModel, Blip2VisionConfig, Blip2VisionModel


class Tokenizer(nn.Module):
    """ViT-g, ln_vision, Q-Former, tanh, codebook: pixels [B,3,224,224] -> ids [B,32]."""

    def __init__(self):
        super().__init__()
        vision = Blip2VisionConfig(
            hidden_size=1408, num_hidden_layers=39, num_attention_heads=16, intermediate_size=6144, patch_size=14
        )
        qformer = Blip2QFormerConfig(vocab_size=30523, encoder_hidden_size=1408, cross_attention_frequency=2)
        self.vision = Blip2VisionModel(vision)
        self.ln_vision = nn.LayerNorm(1408)
        self.query = nn.Parameter(torch.zeros(1, 32, 768))
        self.qformer = Blip2QFormerModel(qformer)
        self.encode = nn.Sequential(nn.Linear(768, 768), nn.Tanh(), nn.Linear(768, 32))
        self.codebook = nn.Embedding(8192, 32)

    def forward(self, pixels):
        tokens = self.ln_vision(self.vision(pixels).last_hidden_state)
        query = self.query.expand(pixels.shape[0], -1, -1)
        y = self.qformer(query_embeds=query, encoder_hidden_states=tokens).last_hidden_state
        z = self.encode(y).reshape(-1, 32)
        table = self.codebook.weight
        distance = z.square().sum(1, keepdim=True) - 2 * z @ table.T + table.square().sum(1)
        return distance.argmin(1)


def build(folder):
    path = os.path.join(folder, "model.safetensors")
    with torch.device("meta"):
        model = Tokenizer()
    if not os.path.exists(path):
        os.makedirs(folder, exist_ok=True)
        torch.manual_seed(1)
        state = {
            name: torch.ones(t.shape) if "norm.weight" in name.lower() or name == "ln_vision.weight" else torch.randn(t.shape) * 0.02
            for name, t in model.state_dict().items()
            if t.dtype.is_floating_point
        }
        save_file(state, path)
        return build_from(model, state), path
    return build_from(model, load_file(path)), path


def build_from(model, state):
    for name, buffer in list(model.named_buffers()):
        if name not in state:
            state[name] = torch.arange(buffer.shape[-1]).reshape(buffer.shape)
    model.load_state_dict(state, assign=True, strict=True)
    return model.eval()


def main():
    model = images = None
    for line in sys.stdin:
        request = json.loads(line)
        with torch.inference_mode():
            if request["do"] == "load":
                torch.set_num_threads(request["threads"])
                images = torch.randn(request["batch"], 3, 224, 224)
                model, path = build(request["folder"])
                model(images)
                ms = 1000 * (time.perf_counter() - START)
                answer = {"ms": ms, "bytes": os.path.getsize(path), "version": torch.__version__}
            elif request["do"] == "time":
                ms = []
                for _ in range(request["count"]):
                    begin = time.perf_counter()
                    model(images)
                    ms.append(1000 * (time.perf_counter() - begin))
                answer = {"ms": ms}
            else:
                answer = {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
        print(json.dumps(answer), flush=True)


main()
