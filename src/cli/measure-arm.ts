/** Measures a model as an arm of the papers' tables and writes the JSON that `paper` reads. */
import { basename, join } from "node:path";
import type { Atlas } from "../data/index.ts";
import { contactSheet } from "../data/sheet.ts";
import { Judge } from "../evaluation/judge.ts";
import { codesSpeaker, featuresSpeaker, isSpoken, type SceneArmOptions, sceneArm } from "../evaluation/paper/index.ts";
import type { RgbImage } from "../image/index.ts";
import { SeedTokenizer } from "../image-tokenizer/seed-tokenizer.ts";
import { exists, writeFileAtomic } from "../io/files.ts";
import { FeatureReader } from "../language/feature-reader.ts";
import { type LanguageModelOptions, SeedLanguageModel } from "../language/index.ts";
import type { Device } from "../runtime/index.ts";
import { readLmManifest } from "../text/index.ts";
import { GillModel } from "../training/index.ts";

export interface MeasuredArm {
  readonly table: string;
  readonly arm: string;
  readonly losses: "published" | "ours";
  readonly seed: number;
  /** What makes these numbers again. */
  readonly command: string;
  readonly commit: string;
  readonly machine: string;
  readonly budget?: { readonly pictures: number; readonly steps: number; readonly hours: number };
}

export interface MeasuringOptions
  extends Pick<SceneArmOptions, "nouns" | "offset" | "count" | "prompts" | "gallery" | "signal" | "onProgress">,
    Pick<LanguageModelOptions, "lm" | "adapter" | "lmBits"> {
  readonly atlas: Atlas;
  /** Ablations: scenes that are decoded. Default: all. */
  readonly decoded?: number;
  /** The model folder. */
  readonly model: string;
  /** Whose CLIP pair compares pictures. Default: the model's own. */
  readonly judge?: string;
  /** Folder of a judge of pictures, as stage `judge` left it. */
  readonly judgeRun?: string;
  /** Folder of stage `gill`. */
  readonly gill?: string;
  readonly device: Device;
  readonly threads: number;
}

/** Opens what the arm needs, and closes it whatever happens. @returns the JSON text */
export async function measureArm(about: MeasuredArm, output: string, options: MeasuringOptions): Promise<string> {
  const { table, arm } = about;
  const open: { close(): Promise<void> }[] = [];
  const keep = <T extends { close(): Promise<void> }>(part: T): T => {
    open.push(part);
    return part;
  };
  try {
    const { model, judge, judgeRun, gill, device, threads } = options;
    const load = { device, threads };
    const parts = {
      ...(judge !== undefined && { judge: keep(await SeedTokenizer.fromPretrained(judge, load)) }),
      ...(judgeRun !== undefined && { pictureJudge: keep(await Judge.open(judgeRun, { threads })) }),
      ...(gill !== undefined && { gill: keep(await GillModel.open(gill, { threads })) }),
    };
    const tokenizer = keep(await SeedTokenizer.fromPretrained(model, load));
    const spoken = table === "causality" || (table === "understanding" && isSpoken(arm));
    const { nouns, offset, count, decoded, prompts, gallery, atlas, signal, onProgress } = options;
    const settings = { nouns, offset, count, decoded, prompts, gallery, atlas, signal, onProgress };
    const speaking = spoken ? await speakers(tokenizer, options, keep) : {};
    let shown: readonly RgbImage[] = [];
    const onPictures = (pictures: readonly RgbImage[]): void => {
      shown = pictures.slice(0, SHOWN);
    };
    const results = await sceneArm(table, arm, { ...settings, tokenizer, ...parts, ...speaking, onPictures });
    const sheets = shown.length > 0 ? [await writeSheet(output, shown)] : [];
    const text = `${JSON.stringify({ format: "seedling-arm-1", ...about, results, sheets })}\n`;
    await writeFileAtomic(output, text);
    return text;
  } finally {
    for (const part of open.reverse()) await part.close();
  }
}

/** Pictures on a sheet. */
const SHOWN = 16;

/** The same pictures of every arm, next to its JSON. */
async function writeSheet(
  output: string,
  pictures: readonly RgbImage[],
): Promise<{ readonly file: string; readonly caption: string }> {
  const path = output.replace(/(\.json)?$/i, ".png");
  const columns = Math.min(8, pictures.length);
  await writeFileAtomic(
    path,
    await contactSheet(
      pictures.map((image) => ({ image, caption: "" })),
      { columns, zoom: 2 },
    ),
  );
  return { file: basename(path), caption: `the first ${pictures.length} test scenes` };
}

/** The language model as the table asks it: by codes or, where its adapter sees these, by features. */
async function speakers(
  tokenizer: SeedTokenizer,
  { model, lm, adapter, lmBits, device, threads }: MeasuringOptions,
  keep: <T extends { close(): Promise<void> }>(part: T) => T,
): Promise<Pick<SceneArmOptions, "model" | "speaker">> {
  const own = adapter ?? join(model, "lm-adapter");
  if ((await exists(join(own, "seedling.json"))) && (await readLmManifest(own)).inputs === "features") {
    const reader = keep(
      await FeatureReader.open({ lm: lm ?? join(model, "lm"), adapter: own }, tokenizer, { threads }),
    );
    return { speaker: featuresSpeaker(reader) };
  }
  const options = { device, threads, lm, adapter, lmBits, imageTokenizer: tokenizer };
  const opened = keep(await SeedLanguageModel.fromPretrained(model, options));
  return { model: opened, speaker: codesSpeaker(opened) };
}
