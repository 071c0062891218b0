/** Table 1 of arXiv 2307.08041: retrieval by causal embeddings and by codes, plain ranking, every caption of the list. */
import { given } from "../../base/item.ts";
import type { Codes } from "../../codes/index.ts";
import { hashOf } from "../../io/hash.ts";
import { cleanCaption } from "../../text/index.ts";
import { bootstrapSums, type Interval, pairedBootstrapSums } from "../metrics/bootstrap.ts";
import { captionRanks, recallOfSums, recallRows } from "../metrics/caption-retrieval.ts";
import type { PaperModel, Part } from "./paper-model.ts";
import { figures, lacking, type Section, type SeenSet } from "./section.ts";
import { remembered, VECTOR, type WorkOptions } from "./work.ts";

export async function retrievalSection(set: SeenSet, model: PaperModel, work: WorkOptions): Promise<Section> {
  const lacks = lacking(model, "embedTexts");
  if (lacks) return { count: 0, rows: {}, notRun: { retrieval: lacks } };
  const pictures = await set.see();
  const owners = pictures.flatMap(({ captions }, i) => captions.map(() => i));
  const texts = await vectors(
    `${set.name}: captions`,
    pictures.flatMap((one) => one.captions.map(cleanCaption)),
    given(model.embedTexts, "embedTexts"),
    work,
  );
  const recalls = async (images: readonly Float32Array[], label: string) => {
    const onProgress = (done: number, total: number) =>
      work.onProgress?.(`${set.name}: ranking by ${label}`, done, total);
    return recallRows(await captionRanks(images, texts, owners, { signal: work.signal, onProgress }), owners);
  };
  const notRun: Record<string, string> = {};
  const own: Record<string, Record<string, Interval>> = {};
  const embeddings = pictures.flatMap(({ embedding }) => (embedding ? [embedding] : []));
  const byEmbedding = embeddings.length === pictures.length ? await recalls(embeddings, "embeddings") : undefined;
  if (byEmbedding) own.embeddings = recallFigures(byEmbedding);
  else notRun.embeddings = "the model has no embeddings in the space of captions";
  const codes = pictures.flatMap((one) => (one.codes ? [one.codes] : []));
  if (codes.length === pictures.length && model.embedCodes) {
    const fromCodes = await vectors(`${set.name}: codes`, codes, model.embedCodes, work);
    const byCodes = await recalls(fromCodes, "codes");
    own.codes = recallFigures(byCodes);
    if (byEmbedding)
      own["codes keep"] = { "R@mean": percent(pairedBootstrapSums(byCodes, byEmbedding, recallOfSums("mean"))) };
  } else notRun.codes = model.lacks.embedCodes ?? "the model has no codes";
  return { count: pictures.length, rows: figures(`retrieval ${set.name}`, own), notRun };
}

function recallFigures(rows: readonly (readonly number[])[]): Record<string, Interval> {
  const names = ["i2t R@1", "i2t R@5", "i2t R@10", "t2i R@1", "t2i R@5", "t2i R@10"];
  const six = names.map((name, i) => [name, bootstrapSums(rows, recallOfSums(i))] as const);
  return Object.fromEntries([...six, ["R@mean", bootstrapSums(rows, recallOfSums("mean"))]]);
}

const percent = ({ mean, low, high }: Interval): Interval => ({ mean: 100 * mean, low: 100 * low, high: 100 * high });

function vectors<T extends string | Codes>(
  label: string,
  items: readonly T[],
  part: Part<(some: readonly T[]) => Promise<readonly Float32Array[]>>,
  work: WorkOptions,
): Promise<Float32Array[]> {
  const keyOf = (item: T): string => hashOf("vector", part.id, JSON.stringify(item));
  return remembered(label, items, { ...VECTOR, keyOf, compute: part.run }, { ...work, batch: 64 });
}
