/** Codes -> pictures for the commands: several lengths, batch by batch, with progress. */
import { type Command, Option } from "commander";
import { CODES_PER_IMAGE, type Codes } from "../codes/index.ts";
import type { RgbImage } from "../image/index.ts";
import { keepList, type Painter, real, whole } from "./options.ts";
import type { Report } from "./report.ts";

export interface PaintingOptions {
  readonly seed: number;
  readonly steps?: number;
  readonly guidance?: number;
  readonly rest: "mean" | "repeat";
  /** Numbers of codes to paint from. */
  readonly keep: readonly number[];
  readonly paintBatch?: number;
  readonly diffusion?: string;
}

/** Adds --keep, --rest, --seed, --steps, --guidance and --paint-batch. */
export function addPaintingOptions(command: Command, keep: readonly number[] = [CODES_PER_IMAGE]): Command {
  return command
    .option("--keep <list>", "paint from the first n codes only, a picture for each n: 4,8,16,32", keepList, [...keep])
    .addOption(
      new Option("--rest <kind>", "what stands for the codes that --keep leaves out: their mean, or the last one kept")
        .choices(["mean", "repeat"])
        .default("mean"),
    )
    .option("--seed <n>", "where the noise comes from; the same seed paints the same picture", whole(0), 0)
    .option("--steps <n>", "steps of the diffusion model (default: what the model says)", whole(1))
    .option("--guidance <x>", "how closely to follow the codes, 1 for no guidance (default: what the model says)", real)
    .option("--paint-batch <n>", "pictures painted at a time (default: 8, with Stable Diffusion 1)", whole(1, 1024));
}

export interface Painted {
  /** Of the codes it was painted from. */
  readonly index: number;
  readonly keep: number;
  readonly image: RgbImage;
}

/** Each list of codes painted once for each number in `keep`. */
export async function* paintings(
  painter: Pick<Painter, "decode">,
  codes: readonly Codes[],
  { seed, rest, steps, guidance, keep, diffusion, paintBatch: batch = diffusion ? 1 : 8 }: PaintingOptions,
  { signal, report }: { signal: AbortSignal; report: Report },
): AsyncGenerator<Painted> {
  const settings = {
    seed,
    rest,
    batch,
    signal,
    steps,
    guidanceScale: guidance,
  };
  const total = codes.length * keep.length;
  let painted = 0;
  report.progress("painting", 0, total, "pictures");
  for (const n of keep)
    for (let at = 0; at < codes.length; at += batch) {
      const some = codes.slice(at, at + batch);
      const onStep = (done: number, of: number): void =>
        report.progress("painting", painted + (done / of) * some.length, total, "pictures");
      const images = await painter.decode(some, { ...settings, keep: n, onStep });
      painted += some.length;
      for (const [i, image] of images.entries()) yield { index: at + i, keep: n, image };
    }
}
