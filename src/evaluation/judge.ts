/** The judge of pictures, as a run of stage `judge` left it: finds objects, their positions, and the colors behind them. */
import { join } from "node:path";
import { InputError, SetupError } from "../base/errors.ts";
import { input, Params, paramAttrs } from "../graph/index.ts";
import { type RgbImage, resize, toTensor } from "../image/index.ts";
import { isMissing } from "../io/files.ts";
import { readJsonFile } from "../io/json-file.ts";
import { JUDGE, JUDGE_CELL, JUDGE_FILE, judge, parseJudge } from "../models/judge.ts";
import { type BatchOptions, inBatches, rows } from "../runtime/batches.ts";
import { mapWeights, type Program, Runtime, type RuntimeOptions, type Value, type Values } from "../runtime/index.ts";
import { openSafetensors } from "../weights/index.ts";
import { type CenterNames, type SeenPicture, seenPicture } from "./metrics/centers.ts";

const WEIGHTS = "weights.safetensors";
const PLAIN = { mean: [0, 0, 0], std: [1, 1, 1] } as const;

export class Judge {
  /** What it can find. */
  readonly nouns: ReadonlySet<string>;
  readonly #size: number;
  readonly #names: CenterNames;
  readonly #runtime: Runtime;
  readonly #program: Program;

  /**
   * Opens the folder of stage `judge` in a run folder.
   * @throws SetupError if a file is missing, InputError if one is damaged or they do not belong together
   */
  static async open(folder: string, options: RuntimeOptions = {}): Promise<Judge> {
    const path = join(folder, JUDGE_FILE);
    const json = await readJsonFile(path).catch((error: unknown) => {
      if (!isMissing(error)) throw error;
      throw new SetupError(
        `${path}: expected a judge of pictures, found none. Train one: seedling train recipes/judge/judge.json`,
      );
    });
    const { threshold, format: _, ...config } = parseJudge(json, path);
    const p = new Params();
    const outputs = judge(p.at(JUDGE), input("pixels", ["B", 3, config.size, config.size]), config);
    const weights = await readWeights(join(folder, WEIGHTS), p);
    const runtime = new Runtime(options);
    try {
      const program = await runtime.compile({ ...outputs }, mapWeights(weights));
      const { size, nouns, backgrounds } = config;
      return new Judge(size, { nouns, backgrounds, cell: JUDGE_CELL, threshold }, runtime, program);
    } catch (error) {
      await runtime.close();
      throw error;
    }
  }

  private constructor(size: number, names: CenterNames, runtime: Runtime, program: Program) {
    this.nouns = new Set(names.nouns);
    this.#size = size;
    this.#names = names;
    this.#runtime = runtime;
    this.#program = program;
  }

  /** What each picture shows; one of another size is squashed to the judge's. */
  async look(images: readonly RgbImage[], options: BatchOptions = {}): Promise<SeenPicture[]> {
    const size = this.#size;
    const seen = await inBatches(images, { batch: 50, ...options }, async (chunk) => {
      const { centers, background } = await this.#run(chunk);
      const [cells, colors] = [centers?.data as Float32Array, background?.data as Float32Array];
      return chunk.map((_, b) => seenPicture(cells, colors, size / JUDGE_CELL, this.#names, b));
    });
    return seen.flat();
  }

  /** Features by which pictures are compared, f32 [C] each, the mean over the picture. */
  async embed(images: readonly RgbImage[], options: BatchOptions = {}): Promise<Float32Array[]> {
    const parts = await inBatches(images, { batch: 50, ...options }, async (chunk) => {
      return (await this.#run(chunk)).features as Value;
    });
    return rows<Float32Array>(parts);
  }

  #run(images: readonly RgbImage[]): Promise<Values> {
    const size = this.#size;
    const data = toTensor(
      images.map((image) => resize(image, size, size)),
      PLAIN,
    );
    return this.#program.run({ pixels: { shape: [images.length, 3, size, size], data } });
  }

  /** Ends the worker thread. */
  close(): Promise<void> {
    return this.#runtime.close();
  }
}

/** All parameters that were declared. */
async function readWeights(path: string, p: Params): Promise<Map<string, Float32Array>> {
  const file = await openSafetensors(path);
  try {
    const weights = new Map<string, Float32Array>();
    for (const [name, t] of p.declared()) {
      const { shape } = paramAttrs(t);
      const stored = file.tensors.get(name);
      if (String(stored?.shape) !== String(shape))
        throw new InputError(
          `${path}: expected ${name} [${shape}] as ${JUDGE_FILE} has it, got ${stored ? `[${stored.shape}]` : "none"}. Copy the folder again.`,
        );
      weights.set(name, await file.readFloat32(name));
    }
    return weights;
  } finally {
    await file.close();
  }
}
