/** The diffusers fixtures with other widths and random weights, so that they fit the embeddings of the tiny SEEDs. */
import { cp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { normal, zeros } from "../src/graph/index.ts";
import { textEncoderPart, unetPart } from "../src/image-decoder/parts.ts";
import { readClipTextConfig } from "../src/models/clip-config.ts";
import { readUnetConfig } from "../src/models/diffusers-config.ts";
import { initialValues } from "../src/nn/index.ts";
import { readJsonFile, writeSafetensors } from "../src/weights/index.ts";

export interface TinyDiffusionOptions {
  /** Shape of its conditioning: [tokens,width] of text features, [width] of an image embedding. */
  readonly shape: readonly [number, number] | readonly [number];
}

/** Writes a folder of Stable Diffusion 1 for text features, of unCLIP for an image embedding. */
export async function writeTinyDiffusion(folder: string, { shape }: TinyDiffusionOptions): Promise<void> {
  const at = (...names: string[]): string => join(folder, ...names);
  const change = async (name: string, fields: Record<string, unknown>): Promise<void> =>
    writeFile(at(name), JSON.stringify({ ...JSON.parse(await readFile(at(name), "utf8")), ...fields }));
  const [first, width] = shape;
  await cp(join("test/fixtures/diffusers", width === undefined ? "unclip" : "sd1"), folder, { recursive: true });
  if (width === undefined) {
    await change("unet/config.json", { projection_class_embeddings_input_dim: 2 * first });
    await rm(at("image_encoder"), { recursive: true });
    await writeSafetensors(
      at("image_normalizer", "diffusion_pytorch_model.safetensors"),
      ["mean", "std"].map((name) => ({ name, dtype: "F32", shape: [1, first], data: random(name, [1, first]) })),
    );
  } else {
    await change("unet/config.json", { cross_attention_dim: width });
    await change("text_encoder/config.json", { max_position_embeddings: first, hidden_size: width });
  }
  const encoder = readClipTextConfig(await readJsonFile(at("text_encoder/config.json")), folder);
  const unet = readUnetConfig(await readJsonFile(at("unet/config.json")), folder);
  const parts = {
    "text_encoder/model": textEncoderPart(encoder),
    "unet/diffusion_pytorch_model": unetPart(unet, encoder.maxPositions),
  };
  for (const [file, { stored }] of Object.entries(parts))
    await writeSafetensors(
      at(`${file}.safetensors`),
      stored.shapes.map(([name, dims]) => ({ name, dtype: "F32", shape: dims, data: random(name, dims) })),
    );
}

/** Nothing that multiplies is zero, so that the picture depends on everything. */
function random(name: string, shape: readonly number[]): Float32Array {
  const lively = shape.length > 1 || name.endsWith("weight");
  return initialValues(name, shape, lively ? normal(shape.slice(1).reduce((a, b) => a * b, 4) ** -0.5) : zeros, 1);
}
