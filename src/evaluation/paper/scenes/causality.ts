/** Codes in a language model that writes them without any rule. arXiv 2310.01218. */
import { UsageError } from "../../../base/errors.ts";
import { speakerOf } from "../../language-card.ts";
import { objectsFound } from "./generation.ts";
import type { Metrics } from "./measure.ts";
import { type SceneArmOptions, scenesOf, thousands, unknownArm } from "./sets.ts";

/** Of all prompts, the share whose drawing is a whole picture; of the first ones, the share of their objects that it shows. */
export async function causality(arm: string, options: SceneArmOptions): Promise<Record<string, Metrics>> {
  const { tokenizer, model, prompts, count, onProgress, signal } = options;
  if (!arm.endsWith("-codes")) throw unknownArm(arm, "causal-codes or bilateral-codes");
  if (!model) throw new UsageError(`${arm}: expected a model with a language model, got one without.`);
  const { scenes } = scenesOf("test", "test", prompts, options);
  const wishes = scenes.map(({ caption }) => caption);
  const drawn = await speakerOf(model).drawFreely(wishes, (done, total) =>
    onProgress?.("drawings without a rule", done, total),
  );
  const right = drawn.filter((codes) => codes !== undefined).length;
  const metrics: Record<string, Metrics[string]> = { "whole pictures": { right, count: drawn.length } };
  if (tokenizer.capabilities.has("decode")) {
    const first = drawn.slice(0, count);
    const whole = first.flatMap((codes, i) => (codes ? [{ codes, seed: i }] : []));
    const decoded = await tokenizer.decode(
      whole.map(({ codes }) => codes),
      { seed: whole.map(({ seed }) => seed), signal },
    );
    const pictures = decoded.values();
    metrics["objects found"] = await objectsFound(
      first.map((codes) => codes && pictures.next().value),
      scenes.slice(0, count),
      options,
    );
  }
  return { [`${thousands(prompts)} prompts`]: metrics };
}
