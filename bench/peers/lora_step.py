"""PyTorch and PEFT's side of the LoRA comparison, as a user of both writes it. See bench/lora-step.mjs for the requests."""

import base64
import json
import resource
import sys
import time

import peft
import torch
import transformers
from safetensors.torch import load_file


class Side:
    def load(self, folder, adapter, ids, batch, length, threads, lora, optimizer, dropout):
        torch.set_num_threads(threads)
        base = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        base.config.use_cache = False
        config = peft.LoraConfig(
            r=lora["rank"],
            lora_alpha=lora["alpha"],
            lora_dropout=dropout,
            target_modules=lora["targets"],
            task_type="CAUSAL_LM",
        )
        self.model = peft.get_peft_model(base, config).train()
        learned = {name: p for name, p in self.model.named_parameters() if p.requires_grad}
        self.P = {self.ours(name): p for name, p in learned.items()}
        start = load_file(adapter)
        assert start.keys() == self.P.keys(), sorted(start.keys() ^ self.P.keys())[:4]
        with torch.no_grad():
            for name, p in self.P.items():
                p.copy_(start[name])
        self.ids = torch.tensor(ids).reshape(batch, length)
        self.optimizer = torch.optim.AdamW(
            self.P.values(),
            lr=optimizer["rate"],
            betas=(optimizer["beta1"], optimizer["beta2"]),
            eps=optimizer["eps"],
            weight_decay=optimizer["weightDecay"],
            fused=True,
        )
        self.clip = optimizer["clipNorm"]
        versions = {"PyTorch": torch.__version__, "PEFT": peft.__version__, "transformers": transformers.__version__}
        return {"versions": versions}

    @staticmethod
    def ours(name):
        return name.removeprefix("base_model.model.").replace(".default.", ".")

    def step(self):
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.model(input_ids=self.ids, labels=self.ids).loss
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.P.values(), self.clip)
        self.optimizer.step()
        return {"loss": loss.item(), "norm": norm.item()}

    def time(self, count):
        wall = []
        for _ in range(count):
            start = time.perf_counter()
            self.step()
            wall.append((time.perf_counter() - start) * 1000)
        return {"wall": wall}

    def read(self, path):
        moment = self.optimizer.state[self.P[path]]["exp_avg"]
        return {"base64": base64.b64encode(moment.numpy().tobytes()).decode()}

    def memory(self):
        return {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def main():
    side = Side()
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(getattr(side, request.pop("do"))(**request)), flush=True)


main()
