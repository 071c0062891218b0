/**
 * A model folder taken apart into the run folder of a chain, the inverse of `assemble`: for whoever wants to go on from a
 * stage, or train a later one on their own pictures, without the run that made the model.
 */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { openSafetensors, readJsonFile, writeSafetensors } from "../checkpoint/index.ts";
import { InputError } from "../errors.ts";
import { makeFolder, writeFileAtomic } from "../files.ts";
import { quote } from "../one-line.ts";
import { CaptionTokenizer } from "../text/index.ts";
import { CLIP_PREFIXES } from "./clip-stage.ts";
import { STAGE2_PREFIXES } from "./codebook-stage.ts";
import { UNET_PREFIX } from "./diffusion-stage.ts";
import { QFORMER_PREFIXES } from "./qformer-stage.ts";
import { VAE_PREFIX } from "./vae-stage.ts";

/** Which stage learned what: names of weights up to a dot. */
const STAGES: Readonly<Record<string, readonly string[]>> = {
  clip: CLIP_PREFIXES,
  "causal-qformer": QFORMER_PREFIXES,
  codebook: STAGE2_PREFIXES,
  vae: [VAE_PREFIX],
  diffusion: [UNET_PREFIX],
};
const FILES = ["model.safetensors", "unet/model.safetensors", "vae/model.safetensors"] as const;
const TOKENIZER = "tokenizer.json";

/**
 * Writes `<root>/<stage>/weights.safetensors` for every stage, and the captions' tokenizer. What a model folder leaves out
 * (the encoder of the autoencoder, the head that does not paint, what was only trained with) is not there.
 * @returns the stages written
 * @throws SetupError if a file of the model is missing; InputError if one is damaged or is of no stage, or if the run
 * folder has a chain already
 */
export async function disassemble(model: string, root: string): Promise<string[]> {
  const json = await readJsonFile(join(model, TOKENIZER), 16e6);
  new CaptionTokenizer(json as Record<string, unknown>); // fails for what is none
  for (const path of [TOKENIZER, ...Object.keys(STAGES).map((stage) => join(stage, "weights.safetensors"))])
    if (await exists(join(root, path)))
      throw new InputError(`${join(root, path)}: expected a run folder without a chain. Name a new one.`);
  const written: string[] = [];
  for (const name of FILES) {
    const file = await openSafetensors(join(model, name));
    try {
      const stray = [...file.tensors.keys()].find((path) => !stageOf(path));
      if (stray) throw new InputError(`${file.path}: expected weights of the chain's stages, got ${quote(stray)}.`);
      for (const stage of Object.keys(STAGES)) {
        const own = [...file.tensors].filter(([path]) => stageOf(path) === stage);
        if (own.length === 0) continue;
        const tensors = own.map(async ([path, { shape }]) => {
          return { name: path, dtype: "F32" as const, shape, data: await file.readFloat32(path) };
        });
        await makeFolder(join(root, stage));
        await writeSafetensors(join(root, stage, "weights.safetensors"), await Promise.all(tensors));
        written.push(stage);
      }
    } finally {
      await file.close();
    }
  }
  await writeFileAtomic(join(root, TOKENIZER), `${JSON.stringify(json, null, 1)}\n`);
  return written;
}

function stageOf(path: string): string | undefined {
  const among = (prefixes: readonly string[]): boolean =>
    prefixes.some((prefix) => path === prefix || path.startsWith(`${prefix}.`));
  return Object.keys(STAGES).find((stage) => among(STAGES[stage]!));
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
