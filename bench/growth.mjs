/**
 * How do time and memory grow with the batch, the pictures, the tokens, the entries of an index? Each point is a process of
 * its own; the exponent is that of the upper half of a curve (1: twice as much takes twice as long). Writes growth.svg.
 *
 *   node bench/growth.mjs [--model models/seedling-mini] [--threads 2] [--work batch,search] [--most N] [--dry]
 */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { chart } from "./lib/chart.mjs";
import { setting, table, writeSection } from "./lib/report.mjs";

const CURVES = [
  { work: "batch", title: "Encode one batch", unit: "pictures in the batch", sizes: [1, 2, 4, 8, 16, 32, 64] },
  { work: "pictures", title: "Encode, 16 at a time", unit: "pictures", sizes: [16, 64, 256, 1024, 4096] },
  { work: "decode", title: "Decode, 8 at a time, 4 steps", unit: "pictures", sizes: [1, 4, 16, 64] },
  { work: "describing", title: "Describe, up to 16 tokens", unit: "pictures", sizes: [1, 4, 16, 64] },
  { work: "reading", title: "Read a prompt", unit: "tokens", sizes: [16, 32, 64, 128, 256, 480] },
  { work: "writing", title: "Write tokens", unit: "tokens", sizes: [16, 32, 64, 128, 256, 480] },
  { work: "search", title: "Search exactly", unit: "indexed pictures", sizes: [1e3, 1e4, 1e5, 1e6] },
];
const { values: options } = parseArgs({
  options: {
    model: { type: "string", default: "models/seedling-mini" },
    threads: { type: "string", default: "2" },
    work: { type: "string", default: CURVES.map(({ work }) => work).join(",") },
    most: { type: "string", default: "Infinity" },
    dry: { type: "boolean", default: false },
  },
});

/** By how much a doubling multiplies, as an exponent, over the upper half of the points. */
function exponent(points, what) {
  const [a, b] = [points[Math.floor((points.length - 1) / 2)], points.at(-1)];
  return a === b ? 0 : Math.log(b[what] / a[what]) / Math.log(b.n / a.n);
}

const side = fileURLToPath(new URL("sides/growth.mjs", import.meta.url));
const curves = [];
for (const { work, sizes, ...curve } of CURVES) {
  if (!options.work.split(",").includes(work)) continue;
  const points = [];
  for (const n of sizes.filter((size) => size <= Number(options.most))) {
    const printed = execFileSync(process.execPath, [side, work, String(n), options.threads, options.model]);
    points.push({ n, ...JSON.parse(printed.toString()) });
    const { ms, peakMb } = points.at(-1);
    console.error(`${work} ${n}: ${ms.toFixed(1)} ms, ${peakMb.toFixed(0)} MB`);
  }
  if (points.length > 0) curves.push({ ...curve, points });
}
const rows = curves.map(({ title, unit, points }) => {
  const last = points.at(-1);
  return [
    ...[title, `${points[0].n} to ${last.n} ${unit}`],
    ...[`${points[0].ms.toFixed(1)} to ${last.ms.toFixed(1)}`, exponent(points, "ms").toFixed(2)],
    ...[`${points[0].peakMb.toFixed(0)} to ${last.peakMb.toFixed(0)}`, exponent(points, "peakMb").toFixed(2)],
  ];
});
const body = [
  `${setting({})}; ${options.threads} threads.`,
  "",
  "Median times after a warm-up; peak memory of the whole process. Exponents of the upper half of each curve: 1 is linear, less is better.",
  "",
  table(["work", "from", "ms", "exponent", "peak MB", "exponent "], rows),
  "",
  "![time and memory against size](growth.svg)",
].join("\n");
console.log(body);
if (!options.dry) {
  writeFileSync(new URL("growth.svg", import.meta.url), chart(curves));
  writeSection("Growth", body);
}
