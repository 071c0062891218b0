/** The folder that `describe`, `draw` and `chat` open, and PEFT: an adapter, its tokenizer and its manifest. */
import { isAbsolute, join } from "node:path";
import { makeFolder, writeFileAtomic } from "../../io/files.ts";
import { FEATURE_ROWS, isOfFeatures } from "../../language/generation/feature-model.ts";
import { languageModelWeights } from "../../models/language-model.ts";
import type { LmConfig } from "../../models/lm-config.ts";
import { type LoraConfig, LoraParams } from "../../models/lora.ts";
import type { LmTokenizer } from "../../text/index.ts";
import { type LmManifest, writeLmManifest } from "../../text/lm-manifest.ts";
import { writePeftFolder, writeSafetensors } from "../../weights/index.ts";

export interface AdapterContents {
  /** The frozen model: as it was named, where it is, and the hash of its weights. */
  readonly base: { readonly name: string; readonly path: string; readonly hash: string };
  readonly config: LmConfig;
  readonly lora: LoraConfig;
  readonly weights: ReadonlyMap<string, Float32Array>;
  readonly tokenizer: LmTokenizer;
  readonly manifest: LmManifest;
}

export async function writeAdapterFolder(folder: string, contents: AdapterContents): Promise<void> {
  const { base, config, lora, tokenizer, manifest } = contents;
  const shapes = new Map(languageModelWeights(config, new LoraParams(lora)));
  const own = [...contents.weights].filter(([name]) => !isOfFeatures(name));
  const weights = new Map(own.map(([name, data]) => [name, { shape: shapes.get(name) ?? [data.length], data }]));
  await makeFolder(folder);
  await writeFeatureRows(folder, contents);
  const adapter = {
    ...{ lora, weights, base: recordedBase(base), baseHash: base.hash },
    firstAddedToken: config.vocabulary,
  };
  await writePeftFolder(folder, adapter, "F16");
  await writeFileAtomic(join(folder, "tokenizer.json"), `${JSON.stringify(tokenizer.json)}\n`);
  await writeFileAtomic(join(folder, "tokenizer_config.json"), `${JSON.stringify(tokenizer.config, null, 2)}\n`);
  await writeLmManifest(folder, manifest);
}

/** A name of the Hub as it is; a path so that it is never taken for one. */
function recordedBase({ name, path }: AdapterContents["base"]): string {
  return path !== name || isAbsolute(name) || name.startsWith(".") ? name : `./${name}`;
}

/** The weights through which a model sees pictures as features; PEFT has no names for them. */
async function writeFeatureRows(folder: string, { config: { width }, weights }: AdapterContents): Promise<void> {
  const tensors = [...weights]
    .filter(([name]) => isOfFeatures(name))
    .map(([name, data]) => {
      const shape = name.endsWith(".bias")
        ? [width]
        : name.endsWith(".marks")
          ? [data.length / width, width]
          : [width, data.length / width];
      return { name, dtype: "F32", shape, data } as const;
    });
  if (tensors.length > 0) await writeSafetensors(join(folder, FEATURE_ROWS), tensors);
}
