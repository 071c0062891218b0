/** A whole stage in one file, as a new one is added: it learns the mean of noise from nothing but its recipe. */
import { z } from "zod";
import { filled, input } from "../../src/graph/index.ts";
import { mse } from "../../src/nn/index.ts";
import { rowsOfPart } from "../../src/training/loop/shares.ts";
import { count, key, trainingKeys } from "../../src/training/recipe/training-keys.ts";
import { defineStage } from "../../src/training/stages/definition.ts";

export const toy = defineStage({
  name: "toy",
  about: "Learns where points are.",
  paper: "none: a test",
  recipe: z.strictObject({
    ...trainingKeys,
    width: key(count, "numbers of a point"),
    at: key(z.number().default(3), "where they are"),
    points: key(count.default(100), "points that there are", "count"),
  }),
  needs: [],
  owns: [],
  async build(c) {
    const { width, at, points } = c.recipe;
    c.dependsOn("data", `${points} points at ${at}`);
    const given = c.start?.weights.get("center");
    return {
      baseline: { points, ...(given && { beganAt: given[0] ?? Number.NaN }) },
      stage: {
        name: "toy",
        learns: ["center"],
        build(p, B) {
          const center = p.get("center", [1, width], filled(0)).expand([B, width]);
          return { loss: mse(center, input("points", [B, width])) };
        },
        batch(part, rng) {
          const data = Float32Array.from({ length: part.of * width }, () => at + 0.1 * rng.normal());
          return { points: { shape: [part.rows.length, width], data: rowsOfPart(data, part) } };
        },
        evaluate: async (weights) => ({ center: weights.get("center")?.[0] ?? Number.NaN }),
      },
    };
  },
});

/** Reads the weights of `toy`. */
export const onToy = defineStage({
  ...toy,
  name: "on-toy",
  needs: ["toy"],
  async build(c) {
    const center = (await c.weights("toy")).get("center")?.[0] ?? Number.NaN;
    const built = await toy.build(c);
    return { ...built, baseline: { center } };
  },
});
