/** seedling.json of an adapter folder: the requests that a language model was trained on, and the codebook of its codes. */
import { z } from "zod";
import { InputError, SetupError } from "../base/errors.ts";
import { isMissing, writeFileAtomic } from "../io/files.ts";
import { parseWith, readJsonFile } from "../io/json-file.ts";
import { join } from "../io/paths.ts";
import { CHATML, type ChatTemplate, SEED_CHAT } from "./chat.ts";
import type { LmTokenizer } from "./lm-tokenizer.ts";

const FILE = "seedling.json";
const TEMPLATES = { seed: SEED_CHAT, chatml: CHATML } as const;

/**
 * How an image is described: several descriptions are sampled, and the best one is taken. The defaults were chosen on
 * validation scenes with both shipped models (docs/log.md).
 */
export const describing = z.strictObject({
  bestOf: z.int().min(1).max(256).default(16).describe("descriptions that are sampled"),
  temperature: z.number().positive().max(10).default(0.8).describe("of their sampling"),
  topP: z.number().positive().max(1).default(0.9).describe("of their sampling"),
  likelihood: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe("what a nat of log likelihood adds to the similarity of text and picture, which is at most 1"),
});

export type Describing = z.infer<typeof describing>;

export const DESCRIBING: Describing = describing.parse({});

const schema = z.strictObject({
  format: z.literal("seedling-lm-1"),
  /** How turns are written. */
  template: z.enum(["seed", "chatml"]),
  /** What the model sees of pictures: their codes (default), vectors that are not quantized, or nothing. */
  inputs: z.enum(["codes", "features", "none"]).optional(),
  /** Size of the codebook; with features how many vectors a picture has. */
  codes: z.int().min(2).max(8192),
  /** Hash of the codebook's vectors, or of some features: those of another one mean something else. */
  codebook: z.string().regex(/^[0-9a-f]{16}$/),
  /** What a user says, word for word as in training. `{prompt}` stands for the caption of the picture. */
  requests: z.strictObject({
    describe: z.string().max(1000),
    draw: z.string().max(1000).includes("{prompt}"),
  }),
  describing: describing.default(DESCRIBING),
});

export type LmManifest = z.infer<typeof schema>;

const parse = parseWith(schema);

/** @throws SetupError if the file is missing; InputError naming every wrong key. */
export async function readLmManifest(folder: string): Promise<LmManifest> {
  const path = join(folder, FILE);
  try {
    return parse(await readJsonFile(path), path);
  } catch (error) {
    if (!isMissing(error)) throw error;
    throw new SetupError(
      `${path}: expected the requests that the model was trained on, found none. Set adapter to an adapter folder.`,
    );
  }
}

export function writeLmManifest(folder: string, manifest: LmManifest): Promise<void> {
  return writeFileAtomic(join(folder, FILE), `${JSON.stringify(parse(manifest, FILE), null, 2)}\n`);
}

/** What a user says to ask for this picture. The request has its own full stop. */
export function fillRequest({ requests }: LmManifest, prompt: string): string {
  return requests.draw.replace("{prompt}", () => prompt.trim().replace(/\.+$/, ""));
}

export function templateOf({ template }: LmManifest): ChatTemplate {
  return TEMPLATES[template];
}

/** @throws InputError if the language model and the image tokenizer do not have the same codes. */
export function expectSameCodes(
  manifest: LmManifest,
  words: LmTokenizer,
  images: { readonly codes: number; readonly codebook: string },
  where: string,
): void {
  if (manifest.inputs === "features")
    throw new InputError(
      `${where}: expected an adapter that sees codes, got one that sees features, which only seedling eval arm opens.`,
    );
  const image = words.expectImageTokens();
  const rows: [string, string | number, string | number][] = [
    ["image tokens in tokenizer.json", manifest.codes, image.codes],
    ["codes of the image tokenizer", manifest.codes, images.codes],
    ["codebook of the image tokenizer", manifest.codebook, images.codebook],
  ];
  const wrong = rows.find(([, expected, got]) => expected !== got);
  if (wrong)
    throw new InputError(
      `${where}: ${wrong[0]}: expected ${wrong[1]}, got ${wrong[2]}. Use the tokenizer it was trained with.`,
    );
}
