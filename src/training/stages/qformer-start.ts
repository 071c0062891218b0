/** First values of the Causal Q-Former and of the draft's head: sharp cross-attention, and queries that begin at regions. */
import { InputError } from "../../base/errors.ts";
import { normal, Params } from "../../graph/index.ts";
import type { SeedlingConfig } from "../../models/config.ts";
import { draftShape } from "../../models/draft.ts";
import { vitTokens } from "../../models/eva-vit.ts";
import { queriesOf } from "../../models/seed-tokenizer.ts";
import { initialValues } from "../../nn/index.ts";
import type { Stage } from "../loop/loop.ts";
import { cellQueries, pyramid, regionQueries } from "../loop/regions.ts";
import { sharpStart } from "../loop/sharp-start.ts";
import { inOnePiece } from "../loop/whole-batch.ts";

export interface StartSettings {
  readonly seed: number;
  /** Deviation of the cross-attention's scores. */
  readonly sharpness: number;
  readonly regions: boolean;
}

/** @throws InputError if queries are to begin at regions and the sizes do not allow it */
export function firstQueries(
  stage: Pick<Stage, "build">,
  config: SeedlingConfig,
  { seed, sharpness, regions }: StartSettings,
  where: string,
): ReadonlyMap<string, Float32Array> {
  const p = new Params();
  stage.build(p, 2, inOnePiece);
  const values = sharpStart(p, seed, sharpness);
  if (!regions) return values;
  const { width } = config.vision;
  const D = config.qformer.hidden;
  const patches = vitTokens(config.vision) - 1;
  const side = Math.sqrt(patches);
  if (!config.contextPositions || width !== D || side % 8 !== 0)
    throw new InputError(
      `${where}: regions: expected contextPositions, a tower as wide as the Q-Former and a multiple of 8 patches a side in model.json. Leave regions out.`,
    );
  const places = pyramid(side, queriesOf(config));
  const positions = initialValues("vision_positions", [1, patches + 1, width], normal(1), seed);
  values.set("vision_positions", positions);
  values.set("query_tokens", regionQueries(places, positions.subarray(width), width, { seed }));
  if (!config.draft || !p.declared().has("draft.queries")) return values;
  const { cells } = draftShape(config.draft);
  if (cells !== patches)
    throw new InputError(`${where}: regions: expected as many cells in draft as patches, ${patches}, got ${cells}.`);
  const spoken = initialValues("draft.positions", [1, places.length, D], normal(1), seed);
  values.set("draft.positions", spoken);
  values.set("draft.queries", cellQueries(places, spoken, D, cells));
  return values;
}
