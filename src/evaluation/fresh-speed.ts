/**
 * The script of a process that only tokenizes, so that opening a model takes as long as for a user and memory is that of
 * tokenizing alone. The parent sends a SpeedRequest and gets SpeedScores back.
 */
import { once } from "node:events";
import { statSync } from "node:fs";
import { join } from "node:path";
import { item } from "../base/item.ts";
import { SeedTokenizer } from "../image-tokenizer/seed-tokenizer.ts";
import type { SpeedRequest } from "./fresh-process.ts";
import { peakMemory } from "./peak-memory.ts";

export interface SpeedScores {
  /** From the call that opens the folder to the first picture's codes: reading, checking, compiling, computing, ms. */
  readonly loadMs: number;
  /** The part of that for the first picture alone, with what is compiled for it, ms. */
  readonly firstMs: number;
  readonly picturesPerSecond: number;
  /** One picture, median of 20, ms. */
  readonly latencyMs: number;
  /** Peak of the process after the first picture, and after batches of 64; mapped weights count. */
  readonly firstMemoryMb: number;
  readonly peakMemoryMb: number;
}

const BATCH = 64;

async function measure({ folder, load, images }: SpeedRequest): Promise<SpeedScores> {
  const encode = (pictures: SpeedRequest["images"]) => tokenizer.encode(pictures, { batch: BATCH });
  const begin = performance.now();
  const tokenizer = await SeedTokenizer.fromPretrained(folder, load);
  const firstMs = await timed(() => encode(images.slice(0, 1)));
  const loadMs = performance.now() - begin;
  const weights = statSync(join(folder, "model.safetensors")).size;
  const memory = (): number => peakMemory(weights) / 2 ** 20;
  const firstMemoryMb = memory();
  const times: number[] = [];
  for (let i = 0; i < 20; i++) times.push(await timed(() => encode([item(images, i % images.length)])));
  const latencyMs = item(
    times.sort((a, b) => a - b),
    10,
  );
  await encode(images.slice(0, BATCH)); // the first batch of a size allocates its memory
  const ms = await timed(() => encode(images));
  const peakMemoryMb = memory();
  await tokenizer.close();
  return { loadMs, firstMs, picturesPerSecond: (1000 * images.length) / ms, latencyMs, firstMemoryMb, peakMemoryMb };
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await run();
  return performance.now() - begin;
}

const [request] = (await once(process, "message")) as [SpeedRequest];
process.send?.(await measure(request), () => process.disconnect());
