import { expect, test } from "vitest";
import type { LmConfig } from "../../models/lm-config.ts";
import { storedNames } from "./stored-names.ts";

const config = (kind: LmConfig["kind"], tied: boolean): LmConfig => ({ kind, tied }) as LmConfig;
const names = (stored: readonly string[], of: LmConfig): Record<string, string> =>
  Object.fromEntries(storedNames({ tensors: new Map(stored.map((name) => [name, {} as never])) }, of));

test("wrappers and a missing prefix are seen through", () => {
  const llama = config("llama", false);
  expect(names(["module._orig_mod.model.norm.weight", "module.lm_head.weight"], llama)).toEqual({
    "model.norm.weight": "module._orig_mod.model.norm.weight",
    "lm_head.weight": "module.lm_head.weight",
  });
  expect(
    names(["norm.weight", "layers.0.mlp.up_proj.weight", "layers.0.self_attn.rotary_emb.inv_freq"], llama),
  ).toEqual({
    "model.norm.weight": "norm.weight",
    "model.layers.0.mlp.up_proj.weight": "layers.0.mlp.up_proj.weight",
  });
  expect(names(["decoder.embed_tokens.weight"], config("opt", true))).toEqual({
    "model.decoder.embed_tokens.weight": "decoder.embed_tokens.weight",
  });
});

test("of two tensors that claim one name, one stays as an extra tensor under its own name", () => {
  const both = { "model.norm.weight": "model.norm.weight", "norm.weight": "norm.weight" };
  expect(names(["norm.weight", "model.norm.weight"], config("llama", false))).toEqual(both);
  expect(names(["model.norm.weight", "norm.weight"], config("llama", false))).toEqual(both);
});

test("tied weights may be stored once, as the embeddings or as the head, or twice", () => {
  const tied = config("llama", true);
  const embeddings = "model.embed_tokens.weight";
  expect(names([embeddings], tied)).toEqual({ [embeddings]: embeddings });
  expect(names(["lm_head.weight"], tied)).toEqual({ [embeddings]: "lm_head.weight" });
  expect(names(["lm_head.weight", embeddings], tied)).toEqual({ [embeddings]: embeddings });
  expect(names(["lm_head.weight"], config("llama", false))).toEqual({ "lm_head.weight": "lm_head.weight" });
});
