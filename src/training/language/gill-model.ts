/** What stage `gill` left in a run folder: captions to text features through a frozen language model. */
import { join } from "node:path";
import { z } from "zod";
import { input, Params } from "../../graph/index.ts";
import type { GenerationEmbedding } from "../../image-decoder/decoder.ts";
import { writeFileAtomic } from "../../io/files.ts";
import { parseWith, readJsonFile } from "../../io/json-file.ts";
import { allNumbers, openBaseModel } from "../../language/generation/base-model.ts";
import { HIDDEN_KEY, lmInput } from "../../models/causal-lm.ts";
import { gillFeatures } from "../../models/gill.ts";
import type { LmConfig } from "../../models/lm-config.ts";
import { type BatchOptions, inBatches, rows } from "../../runtime/batches.ts";
import {
  mapWeights,
  type Program,
  Runtime,
  type RuntimeOptions,
  type Value,
  type Values,
} from "../../runtime/index.ts";
import type { LmTokenizer } from "../../text/index.ts";
import { namedValue } from "../loop/values.ts";
import { loadWeights, weightsFile } from "../loop/weights-file.ts";

const FILE = "gill.json";

const description = z.strictObject({
  format: z.literal("seedling-gill-1"),
  base: z.string().min(1).describe("folder of the frozen language model"),
  tokens: z.int().min(1).max(1000).describe("image tokens, and so text features of a caption"),
  width: z.int().min(1).max(100_000).describe("of a text feature"),
  length: z.int().min(2).max(100_000).describe("tokens of a sequence"),
});

export type GillSizes = Omit<z.output<typeof description>, "format">;

const parse = parseWith(description);

export function writeGill(folder: string, sizes: GillSizes): Promise<void> {
  return writeFileAtomic(join(folder, FILE), `${JSON.stringify({ format: "seedling-gill-1", ...sizes }, null, 2)}\n`);
}

/**
 * Captions cut so that all image tokens fit after them, padded to T tokens: ids, positions i32 [B,T], `places` i32 [B,N]
 * of the image tokens.
 */
export function gillFeeds(
  captions: readonly string[],
  tokenizer: LmTokenizer,
  { vocabulary }: LmConfig,
  { tokens: N, length: T }: Pick<GillSizes, "tokens" | "length">,
): Values {
  const B = captions.length;
  const [ids, positions, keys] = [new Int32Array(B * T), new Int32Array(B * T), new Int32Array(B * T).fill(HIDDEN_KEY)];
  const places = new Int32Array(B * N);
  for (const [b, caption] of captions.entries()) {
    const words = [...(tokenizer.bos === undefined ? [] : [tokenizer.bos]), ...tokenizer.encode(caption)].slice(
      0,
      T - N,
    );
    const all = [...words, ...Array.from({ length: N }, (_, n) => vocabulary + n)];
    for (const [t, id] of all.entries()) {
      ids[b * T + t] = id;
      positions[b * T + t] = t;
      keys[b * T + t] = t;
    }
    for (let n = 0; n < N; n++) places[b * N + n] = b * T + words.length + n;
  }
  const value = (data: Int32Array): Value => ({ shape: [B, T], data });
  return {
    ids: value(ids),
    positions: value(positions),
    keyPositions: value(keys),
    places: { shape: [B, N], data: places },
  };
}

export class GillModel {
  readonly #runtime: Runtime;
  readonly #program: Program;
  readonly #feeds: (captions: readonly string[]) => Values;

  /** @param folder of the stage in a run folder @throws SetupError if a file is missing */
  static async open(folder: string, options: RuntimeOptions = {}): Promise<GillModel> {
    const where = join(folder, FILE);
    const { format: _, ...sizes } = parse(await readJsonFile(where), where);
    const base = await openBaseModel(sizes.base);
    const tokenizer = await base.tokenizer();
    const config = { ...base.config, addedTokens: sizes.tokens };
    const weights = new Map([...(await allNumbers(base)), ...(await loadWeights(weightsFile(folder)))]);
    const feeds = lmInput(config, { batch: "B", tokens: sizes.length });
    const text = gillFeatures(new Params(), feeds, input("places", ["B", sizes.tokens], "i32"), config, sizes.width);
    const runtime = new Runtime(options);
    try {
      const program = await runtime.compile({ text }, mapWeights(weights));
      return new GillModel(runtime, program, (captions) => gillFeeds(captions, tokenizer, config, sizes));
    } catch (error) {
      await runtime.close();
      throw error;
    }
  }

  private constructor(runtime: Runtime, program: Program, feeds: (captions: readonly string[]) => Values) {
    this.#runtime = runtime;
    this.#program = program;
    this.#feeds = feeds;
  }

  /** Text features f32 [N,D] of each caption. */
  async features(captions: readonly string[], options: BatchOptions = {}): Promise<GenerationEmbedding[]> {
    const parts = await inBatches(captions, options, async (chunk) =>
      namedValue(await this.#program.run(this.#feeds(chunk)), "text"),
    );
    const shape = parts[0]?.shape.slice(1) ?? [];
    return rows<Float32Array>(parts).map((data) => ({ shape, data }));
  }

  /** Ends the worker thread. */
  close(): Promise<void> {
    return this.#runtime.close();
  }
}
