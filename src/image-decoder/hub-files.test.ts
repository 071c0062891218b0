import { expect, test } from "vitest";
import { diffusersFiles, importableFiles } from "./hub-files.ts";

test("settings of every part, and each part's weights once, in full precision if there", () => {
  const wanted = [
    "model_index.json",
    "scheduler/scheduler_config.json",
    "text_encoder/config.json",
    "tokenizer/merges.txt",
    "tokenizer/vocab.json",
    "unet/config.json",
    "vae/config.json",
    "text_encoder/model.safetensors",
    "unet/diffusion_pytorch_model.safetensors",
    "vae/diffusion_pytorch_model.fp16.safetensors",
  ];
  const others = [
    "v1-5-pruned.safetensors",
    "README.md",
    "safety_checker/model.safetensors",
    "safety_checker/config.json",
    "text_encoder/pytorch_model.bin",
    "text_encoder/model.fp16.safetensors",
    "unet/diffusion_pytorch_model.non_ema.safetensors",
    "unet/diffusion_pytorch_model.fp16.safetensors",
    "vae/diffusion_pytorch_model.bin",
    "vae/deep/config.json",
    "vae_decoder/model.onnx",
  ];
  expect(diffusersFiles([...others, ...wanted].toSorted()).toSorted()).toEqual(wanted.toSorted());
});

test("an index brings its shards, of its own precision only", () => {
  const shards = (stem: string): string[] => [1, 2].map((i) => `unet/${stem}-0000${i}-of-00002.safetensors`);
  const [full, half] = [shards("diffusion_pytorch_model"), shards("diffusion_pytorch_model.fp16")];
  const index = "unet/diffusion_pytorch_model.safetensors.index.json";
  const halfIndex = "unet/diffusion_pytorch_model.safetensors.index.fp16.json";
  expect(diffusersFiles([...full, ...half, index, halfIndex])).toEqual([index, ...full]);
  expect(diffusersFiles([...full, ...half, halfIndex])).toEqual([halfIndex, ...half]);
});

test("of unCLIP also what makes image embeddings", () => {
  const unclip = [
    "image_encoder/config.json",
    "image_encoder/model.safetensors",
    "image_normalizer/config.json",
    "image_normalizer/diffusion_pytorch_model.safetensors",
    "image_noising_scheduler/scheduler_config.json",
  ];
  expect(diffusersFiles(unclip).toSorted()).toEqual(unclip.toSorted());
});

test("an import takes what PyTorch saved where there is no safetensors file", () => {
  const paths = [
    "model_index.json",
    "unet/diffusion_pytorch_model.bin",
    "unet/diffusion_pytorch_model.fp16.bin",
    "vae/diffusion_pytorch_model.bin",
    "vae/diffusion_pytorch_model.safetensors",
    "text_encoder/pytorch_model.bin",
    "v1-4.ckpt",
  ];
  const wanted = [0, 1, 4, 5].map((i) => paths[i]!);
  expect(importableFiles(paths, "o/m").toSorted()).toEqual([wanted[0], wanted[3], wanted[1], wanted[2]]);
  expect(() => importableFiles(["README.md", "seed_quantizer.pt"], "o/m")).toThrow(
    "o/m: expected model_index.json of a diffusers folder, found none. Name one of its files: seed_quantizer.pt.",
  );
});
