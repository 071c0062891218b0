/**
 * What a parity fixture asks for, as graphs: one function a kind, each returns tensors under the fixture's names.
 * Names and meanings: test/fixtures/tiny-a/README.md.
 */
import { gradients } from "../../autodiff/index.ts";
import { entry, given } from "../../base/item.ts";
import type { Params, Tensor } from "../../graph/index.ts";
import { qformer } from "../../models/qformer.ts";
import {
  causalEmbeddings,
  codeVectors,
  decodeVectors,
  imageEmbedding,
  quantize,
  reconstructEmbeddings,
  type SeedConfig,
  textFeatures,
  visionFeatures,
} from "../../models/seed-tokenizer.ts";
import { cosineLoss } from "../../nn/index.ts";
import type { ContrastOutput } from "../../training/losses/contrast.ts";
import { type Stage1Options, stage1Loss } from "../../training/losses/stage1.ts";
import { stage2Loss } from "../../training/losses/stage2.ts";

/** The tensors of a reference file. */
export interface Reference {
  readonly names: readonly string[];
  /** A graph input of the dtype, shape and name of a tensor in the file. */
  feed(name: string): Tensor;
}

/** Computed tensors under the fixture's names. */
type Results = Record<string, Tensor>;

/** pixels -> codes -> decoded vectors, common to v1 and v2; returns the vectors of the straight-through codes. */
function encode(p: Params, ref: Reference, config: SeedConfig): { y: Tensor; u: Tensor } {
  const y = causalEmbeddings(p, visionFeatures(p, ref.feed("input.pixel_values"), config), config);
  const u = p.tap("decode_task.out", decodeVectors(p, quantize(p, y, config).zq, config));
  return { y, u };
}

/** v1: the text features come from the straight-through codes. */
export function v1Case(p: Params, ref: Reference, config: SeedConfig): Results {
  const { u } = encode(p, ref, config);
  const generation_embeddings = textFeatures(p, u, config);
  return { ...p.taps(), generation_embeddings };
}

/** v2: the image embedding comes from given codes, so that it is checked apart from the encoder. */
export function v2Case(p: Params, ref: Reference, config: SeedConfig): Results {
  const { y, u } = encode(p, ref, config);
  p.tap("recon.cosine_loss", cosineLoss(reconstructEmbeddings(p, u, config), y));
  const detokenize = (codes: string): Tensor => {
    const vectors = decodeVectors(p, codeVectors(p, ref.feed(codes), config), config);
    return imageEmbedding(p, p.tap("detok.decode_task.out", vectors), config);
  };
  p.tap("detok.image_embeds", detokenize("vq.indices"));
  const out = p.taps(); // the codes below go through the same layers again
  if (ref.names.includes("extra.indices")) out["extra.image_embeds"] = detokenize("extra.indices");
  return out;
}

/** Losses and gradients of the codebook and the de-tokenizer. */
export function stage2Case(p: Params, ref: Reference, config: SeedConfig): Results {
  const y = causalEmbeddings(p, visionFeatures(p, ref.feed("input.pixel_values"), config), config);
  const { loss, parts } = stage2Loss(p, y, { imageEmbedding: ref.feed("input.clip_image_embeds") }, config);
  return {
    loss_embed_weighted: given(parts.codebook, "a codebook loss"),
    loss_recon_s_weighted: given(parts.reconstruction, "a reconstruction loss"),
    loss_distil_image_weighted: given(parts.image, "an image loss"),
    loss,
    ...namedGradients(p, ref, "grad.", loss),
  };
}

/** Query, text and joint path, the contrastive loss and its gradients in one process, in several, and both-sided. */
export function stage1Case(p: Params, ref: Reference, config: SeedConfig, smoothing: number): Results {
  const pixels = ref.feed("input.pixel_values");
  const ids = ref.feed("input.text_ids");
  const mask = ref.feed("input.text_mask");
  const part = (start: number, end: number, options: Stage1Options): ContrastOutput => {
    const [textIds, textMask] = [ids.slice(0, start, end), mask.slice(0, start, end)];
    const batch = { pixels: pixels.slice(0, start, end), textIds, textMask };
    return stage1Loss(p, batch, config, { smoothing, ...options });
  };
  const B = pixels.size(0);
  const whole = part(0, B, { gather: "official", all: true, allWords: true });
  const taps = p.taps();
  const out = Object.fromEntries(Object.entries(taps).map(([name, t]) => [name.replace(/^qformer\./, "query."), t]));

  const joint = {
    queries: entry(p.declared(), "query_tokens"),
    features: entry(taps, "ln_vision.out"),
    text: { ids, mask },
  };
  out["joint.last_hidden_state"] = qformer(p.at("Qformer", "bert"), config.qformer, joint);
  out.image_feat = whole.image;
  out.text_feat = whole.text;
  out.sim_i2t = whole.imageToText;
  out.sim_t2i = whole.textToImage;

  const loss = (prefix: string, value: Tensor): void => {
    out[`${prefix}loss`] = value;
    Object.assign(out, namedGradients(p, ref, `${prefix}grad.`, value));
  };
  loss("world1.", whole.loss);
  loss("bothsides.", part(0, B, { gather: "both-sides" }).loss);
  const ranks = new Set(ref.names.map((name) => /^world2\.rank(\d+)\./.exec(name)?.[1]).filter((r) => r !== undefined));
  for (const rank of ranks) {
    const first = (Number(rank) * B) / 2;
    const gathered = { image: whole.image, text: whole.text, first };
    loss(`world2.rank${rank}.`, part(first, first + B / 2, { gather: "official", gathered }).loss);
  }
  return out;
}

/** Gradients of `loss` for the reference's names `<prefix><parameter>`. */
function namedGradients(p: Params, ref: Reference, prefix: string, loss: Tensor): Results {
  const paths = ref.names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
  const known = paths.filter((path) => p.declared().has(path));
  const grads = gradients(
    loss,
    known.map((path) => entry(p.declared(), path)),
  );
  return Object.fromEntries(known.flatMap((path, i) => (grads[i] ? [[prefix + path, grads[i]]] : [])));
}
