"""PyTorch's side of the training comparison: the models of bench/lib/cases.mjs, eager, as a PyTorch user writes them.

Answers one JSON line with one JSON line; see bench/train-step.mjs for the requests. Weights and the batch come in a
safetensors file, keys as in our checkpoints, so both sides start equal.
"""

import base64
import functools
import json
import resource
import sys
import time

import torch
import torch.nn.functional as F
from safetensors.torch import load_file


def linear(P, key, x):
    return F.linear(x, P[f"{key}.weight"], P.get(f"{key}.bias"))


def layer_norm(P, key, x, eps):
    return F.layer_norm(x, x.shape[-1:], P[f"{key}.weight"], P[f"{key}.bias"], eps)


def attend(q, k, v, heads, **mask):
    """[B,T,D], [B,S,D], [B,S,D] -> [B,T,D]"""
    q, k, v = (t.unflatten(-1, (heads, -1)).transpose(1, 2) for t in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v, **mask).transpose(1, 2).flatten(2)


def transformer(P, feeds, s):
    x = linear(P, "patch", feeds["x"]) + P["position"]
    for i in range(s["depth"]):
        at = f"blocks.{i}"
        q, k, v = linear(P, f"{at}.attn.qkv", layer_norm(P, f"{at}.norm1", x, 1e-6)).chunk(3, -1)
        x = x + linear(P, f"{at}.attn.proj", attend(q, k, v, s["heads"]))
        h = F.gelu(linear(P, f"{at}.mlp.fc1", layer_norm(P, f"{at}.norm2", x, 1e-6)))
        x = x + linear(P, f"{at}.mlp.fc2", h)
    pooled = layer_norm(P, "norm", x, 1e-6).mean(1)
    return F.cross_entropy(linear(P, "head", pooled), feeds["target"])


def bert_attention(P, key, x, source, heads, **mask):
    q = linear(P, f"{key}.self.query", x)
    k, v = (linear(P, f"{key}.self.{name}", source) for name in ("key", "value"))
    out = linear(P, f"{key}.output.dense", attend(q, k, v, heads, **mask))
    return layer_norm(P, f"{key}.output.LayerNorm", out + x, 1e-12)


def feed_forward(P, key, x, kind):
    h = F.gelu(linear(P, f"{key}.intermediate{kind}.dense", x))
    return layer_norm(P, f"{key}.output{kind}.LayerNorm", linear(P, f"{key}.output{kind}.dense", h) + x, 1e-12)


def causal_qformer(P, feeds, s):
    bert = "Qformer.bert"
    features = layer_norm(P, "ln_vision", feeds["tokens"], 1e-5)
    x = layer_norm(P, f"{bert}.embeddings.LayerNorm", P["query_tokens"], 1e-12).expand(len(features), -1, -1)
    for j in range(s["layers"]):
        at = f"{bert}.encoder.layer.{j}"
        x = bert_attention(P, f"{at}.attention", x, x, s["heads"], is_causal=True)
        if j % 2 == 0:
            x = bert_attention(P, f"{at}.crossattention", x, features, s["heads"])
        x = feed_forward(P, at, x, "_query")
    image = F.normalize(linear(P, "vision_proj", x[:, -1]), dim=-1)

    words = F.embedding(feeds["ids"], P[f"{bert}.embeddings.word_embeddings.weight"])
    h = words + P[f"{bert}.embeddings.position_embeddings.weight"]
    h = layer_norm(P, f"{bert}.embeddings.LayerNorm", h, 1e-12)
    padding = (feeds["mask"].to(words.dtype)[:, None, None] - 1) * 10000
    for j in range(s["layers"]):
        at = f"{bert}.encoder.layer.{j}"
        h = feed_forward(P, at, bert_attention(P, f"{at}.attention", h, h, s["heads"], attn_mask=padding), "")
    text = F.normalize(linear(P, "text_proj", h[:, 0]), dim=-1)

    similarity = image @ text.T / P["temp"]
    target = torch.arange(len(image))
    both = [F.cross_entropy(t, target, label_smoothing=0.1) for t in (similarity, similarity.T)]
    return (both[0] + both[1]) / 2


def unet(P, feeds, s):
    model = unet_of(json.dumps(s, sort_keys=True)).to(feeds["x"].dtype)
    y = torch.func.functional_call(model, P, (feeds["x"], feeds["t"], feeds["context"]))
    return F.mse_loss(y.sample, feeds["target"])


@functools.cache
def unet_of(text):
    """The module of a config as JSON; its own weights are not used."""
    from diffusers import UNet2DConditionModel

    s = json.loads(text)
    return UNet2DConditionModel(
        sample_size=s["sampleSize"],
        in_channels=s["inChannels"],
        out_channels=s["outChannels"],
        block_out_channels=s["blockOutChannels"],
        layers_per_block=s["layersPerBlock"],
        down_block_types=s["downBlockTypes"],
        up_block_types=s["upBlockTypes"],
        cross_attention_dim=s["crossAttentionDim"],
        attention_head_dim=s["attentionHeads"],  # counts heads
        norm_num_groups=s["normNumGroups"],
    )


MODELS = {"transformer": transformer, "causal-qformer": causal_qformer, "unet": unet}


class Side:
    def load(self, name, sizes, file, threads, optimizer, **_):
        idle = self.memory()["peak"]
        torch.set_num_threads(threads)
        stored = load_file(file)
        feeds = {key[5:]: t for key, t in stored.items() if key.startswith("feed:")}
        self.feeds = {key: t if t.is_floating_point() else t.long() for key, t in feeds.items()}
        self.P = {key[6:]: t.requires_grad_() for key, t in stored.items() if key.startswith("param:")}
        self.loss = lambda: MODELS[name](self.P, self.feeds, sizes)
        matrices = [p for p in self.P.values() if p.dim() >= 2]
        vectors = [p for p in self.P.values() if p.dim() < 2]
        self.optimizer = torch.optim.AdamW(
            [{"params": matrices, "weight_decay": optimizer["weightDecay"]}, {"params": vectors, "weight_decay": 0.0}],
            lr=optimizer["rate"],
            betas=(optimizer["beta1"], optimizer["beta2"]),
            eps=optimizer["eps"],
            **optimizer["torch"],
        )
        self.clip = optimizer["clipNorm"]
        self.exact = self.exact_moments(MODELS[name], sizes, optimizer)
        return {"idle": idle, "version": torch.__version__}

    def exact_moments(self, model, sizes, optimizer):
        """First moments after one step, all computed in float64: what both sides are measured against."""
        P = {key: t.detach().double().requires_grad_() for key, t in self.P.items()}
        feeds = {key: t.double() if t.is_floating_point() else t for key, t in self.feeds.items()}
        torch.set_default_dtype(torch.float64)
        model(P, feeds, sizes).backward()
        torch.set_default_dtype(torch.float32)
        torch.nn.utils.clip_grad_norm_(P.values(), self.clip)
        return {key: t.grad * (1 - optimizer["beta1"]) for key, t in P.items()}

    def step(self):
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.P.values(), self.clip)
        self.optimizer.step()
        return {"loss": loss.item(), "norm": norm.item()}

    def time(self, count):
        wall, cpu = [], []
        for _ in range(count):
            start, used = time.perf_counter(), time.process_time()
            self.step()
            wall.append((time.perf_counter() - start) * 1000)
            cpu.append((time.process_time() - used) * 1000)
        return {"wall": wall, "cpu": cpu}

    def read(self, what, path):
        p = self.P[path]
        t = {"param": p.detach(), "m": self.optimizer.state[p].get("exp_avg"), "exact": self.exact[path]}[what].contiguous()
        return {"base64": base64.b64encode(t.numpy().tobytes()).decode()}

    def memory(self):
        return {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def main():
    side = Side()
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(getattr(side, request.pop("do"))(**request)), flush=True)


main()
