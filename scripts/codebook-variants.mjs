// Collects what the finished runs of recipes/mini/variants reached: node scripts/codebook-variants.mjs <run folder>
// -> docs/results/codebook-variants.json, which write-results.mjs puts into docs/results.md.
import { existsSync, readFileSync, writeFileSync } from "node:fs";

const run = process.argv[2] ?? "runs/mini";
const NAMES = ["published", "kmeans", "averages", "kmeans-averages", "all"].map((name) => `codebook-${name}`);

const done = NAMES.filter((name) => existsSync(`${run}/${name}/weights.safetensors`));
const variants = done.map((name) => {
  const { about, phases } = JSON.parse(readFileSync(`${run}/${name}/recipe.json`, "utf8"));
  const [{ steps, batch }] = phases;
  const lines = readFileSync(`${run}/${name}/log.jsonl`, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const last = (key) => lines.findLast((line) => line[key] !== undefined)[key];
  return {
    name,
    about,
    steps,
    batch,
    usage: last("usage"),
    perplexity: last("validation/perplexity"),
    cosine: last("validation/cosine"),
    recallMean: last("validation/recallMean"),
    keptPercent: last("validation/keptPercent"),
  };
});
writeFileSync("docs/results/codebook-variants.json", `${JSON.stringify(variants, null, 2)}\n`);
