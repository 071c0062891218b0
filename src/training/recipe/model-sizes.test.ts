import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { differingSize, type ModelSizes, parseModelSizes, type SizeKey, sizesHash, withSizes } from "./model-sizes.ts";

type Json = Record<string, Record<string, unknown>>;
const json = JSON.parse(await readFile("test/recipes/model.json", "utf8")) as Json;
const model = json["model"] as Json;
const parsed = (changes: object): ModelSizes => parseModelSizes({ ...json, ...changes }, "model.json");
const sizes = parsed({});
/** With another stem of the tower and other denoising steps. */
const other = parsed({
  model: { ...model, vision: { ...model["vision"], stem: [16] } },
  pipeline: { num_inference_steps: 7, guidance_scale: 2 },
});

test("the hash is that of what is named, absent keys included", () => {
  const keys: SizeKey[] = ["model.vision.imageSize", "vae", "model.textEncoder"];
  expect(sizesHash(other, keys)).toBe(sizesHash(sizes, keys));
  expect(sizesHash(other, [...keys, "model.vision"])).not.toBe(sizesHash(sizes, [...keys, "model.vision"]));
  expect(sizesHash(sizes, ["vae"])).not.toBe(sizesHash(sizes, ["unet"]));
  const { clipGrid: _, ...without } = model;
  const absent = parsed({ model: without });
  expect(sizesHash(absent, ["model.clipGrid"])).not.toBe(sizesHash(sizes, ["model.clipGrid"]));
  expect(sizesHash(absent, ["model.clipGrid"])).toBe(sizesHash(absent, ["model.clipGrid"]));
});

test("the first key that differs is named; the order below a key does not matter", () => {
  expect(differingSize(sizes, other, ["model.qformer", "unet"])).toBeUndefined();
  expect(differingSize(sizes, other, ["model.qformer", "pipeline", "model.vision"])).toBe("pipeline");
  expect(differingSize(sizes, other, ["model.vision", "pipeline"])).toBe("model.vision");
  const turned = Object.fromEntries(Object.entries(model["vision"]!).reverse());
  expect(differingSize(sizes, parsed({ model: { ...model, vision: turned } }), ["model.vision"])).toBeUndefined();
  const shuffled = parsed({ unet: { ...json["unet"], block_out_channels: [8, 16] } });
  const back = parsed({ unet: { ...json["unet"], block_out_channels: [16, 8] } });
  expect(differingSize(shuffled, back, ["unet"])).toBe("unet");
});

test("a file takes what another one says under some keys, and keeps the rest", () => {
  const both = parseModelSizes(withSizes(sizes, other, ["model.vision.stem"]), "both");
  expect(differingSize(both, other, ["model.vision"])).toBeUndefined();
  expect(differingSize(both, sizes, ["pipeline", "model.textEncoder", "unet", "vae"])).toBeUndefined();
  expect(differingSize(both, sizes, ["model.vision"])).toBe("model.vision");
  const { draft: _, ...without } = model;
  const none = parseModelSizes(withSizes(sizes, parsed({ model: without }), ["model.draft"]), "none");
  expect(none.config(1).draft).toBeUndefined();
  expect(sizes.config(1).draft).toEqual({ channels: 6, size: 8, cell: 4, layers: 1, hidden: true }); // as it was
});
