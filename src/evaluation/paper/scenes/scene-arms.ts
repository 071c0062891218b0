/** Arms that models of this project can be, measured on the built-in scenes: the sets and metrics of the papers' tables. */
import { UsageError } from "../../../base/errors.ts";
import { ablations } from "./ablations.ts";
import { causality } from "./causality.ts";
import { generation } from "./generation.ts";
import type { Metrics } from "./measure.ts";
import { retrieval } from "./retrieval.ts";
import type { SceneArmOptions } from "./sets.ts";
import { understanding } from "./understanding.ts";

const MEASURES = { retrieval, generation, understanding, causality, ablations } as const;

export type SceneTable = keyof typeof MEASURES;
export const SCENE_TABLES = Object.keys(MEASURES) as readonly SceneTable[];

/** Results of an arm of a table: set -> metric -> score. @throws UsageError for an arm that no model of this kind is */
export async function sceneArm(table: string, arm: string, options: SceneArmOptions): Promise<Record<string, Metrics>> {
  const measure = (MEASURES as Readonly<Record<string, (typeof MEASURES)[SceneTable]>>)[table];
  if (!measure) throw new UsageError(`${table}: expected ${SCENE_TABLES.join(", ")}.`);
  return measure(arm, options);
}
