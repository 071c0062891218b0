/** Table 3 of arXiv 2307.08041: a caption of every picture, scored against all of its own; NoCaps by domain too. */
import { given } from "../../base/item.ts";
import { hashOf } from "../../io/hash.ts";
import type { Interval } from "../metrics/bootstrap.ts";
import { type CaptionScoring, captionMetrics } from "./caption-metrics.ts";
import type { PaperModel } from "./paper-model.ts";
import { EXAMPLES, figures, lacking, type Section, type SeenSet } from "./section.ts";
import { remembered, TEXT, type WorkOptions } from "./work.ts";

export async function captionSection(
  set: SeenSet,
  model: PaperModel,
  scoring: CaptionScoring,
  work: WorkOptions,
): Promise<Section> {
  const lacks = lacking(model, "describe");
  if (lacks) return { count: 0, rows: {}, notRun: { captions: lacks } };
  const describe = given(model.describe, "describe");
  const pictures = (await set.see()).filter((one) => one.codes !== undefined);
  const said = await remembered(
    `${set.name}: describing`,
    pictures.map(({ codes }) => given(codes, "codes")),
    { ...TEXT, keyOf: (codes) => hashOf("describe", describe.id, codes.join()), compute: describe.run },
    work,
  );
  const domains = [...new Set(pictures.flatMap(({ domain }) => (domain === undefined ? [] : [domain])))].sort();
  const own: Record<string, Record<string, Interval>> = {};
  const notRun: Record<string, string> = {};
  for (const domain of [...domains, undefined]) {
    const some = pictures.flatMap((picture, i) =>
      domain === undefined || picture.domain === domain
        ? [{ candidate: said[i] ?? "", references: picture.captions }]
        : [],
    );
    const { scores, notRun: without } = await captionMetrics(some, scoring);
    own[domain ?? "overall"] = scores;
    Object.assign(notRun, without);
  }
  const examples = pictures.slice(0, EXAMPLES).map(({ id, captions }, i) => ({ id, said: said[i], captions }));
  return { count: pictures.length, rows: figures(`captions ${set.name}`, own), notRun, examples };
}
