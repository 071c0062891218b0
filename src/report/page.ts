/** A run as one HTML file that needs nothing else: curves by Chart.js, sheets as data URLs, no request to any host. */
import { readFileBounded } from "../io/files.ts";
import { chartSource, escapeHtml, inlineJson } from "./inline.ts";
import { script, style } from "./page-parts.ts";
import { runFacts } from "./provenance.ts";
import type { Curve, RunReport, Sheet, StageReport } from "./read-run.ts";

export interface PageOptions {
  /** Reload when the run has news, as `--watch` serves it. */
  readonly live?: boolean;
}

const MAX_SHEET = 8e6;
/** More sheets than this are thinned out evenly: first and last stay. */
const MOST_SHEETS = 12;
/** More points than this are averaged in groups: no screen shows more. */
const MOST_POINTS = 600;

/** @throws SetupError if a sheet cannot be read. */
export async function reportPage(run: RunReport, options: PageOptions = {}): Promise<string> {
  const sections = await Promise.all(run.stages.map(stageSection));
  const data = run.stages.map(({ name, curves }) => ({ name, curves: curves.map(thinned) }));
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title(run))}</title>
<style>${style}</style>
</head>
<body>
<header><h1>${escapeHtml(title(run))}</h1>${facts(run)}</header>
<main>
${overview(run)}
${sections.join("\n")}
</main>
<script type="application/json" id="data">${inlineJson(data)}</script>
<script>${await chartSource()}</script>
<script>${script(options.live ?? false)}</script>
</body>
</html>
`;
}

function title({ folder }: RunReport): string {
  return `Training report: ${folder}`;
}

/** Hours, recipe, machine and commit, as a line of facts. */
function facts({ training, stages }: RunReport): string {
  const seconds = stages.reduce((sum, stage) => sum + stage.seconds, 0);
  const provenance = stages.map((stage) => stage.provenance);
  const rows = [["trained for", duration(seconds)] as const, ...runFacts(training, provenance)];
  return `<dl>${rows.map(([key, value]) => `<div><dt>${escapeHtml(key)}</dt><dd>${escapeHtml(value)}</dd></div>`).join("")}</dl>`;
}

function overview({ stages, training }: RunReport): string {
  const rows = stages.map((stage) => {
    const share = stage.steps > 0 ? Math.min(stage.step / stage.steps, 1) : 0;
    const state = stage.finished ? "finished" : `${Math.floor(share * 100)} %, ${duration(stage.leftSeconds)} left`;
    const scores = stage.curves
      .filter(({ name }) => name.startsWith("validation/"))
      .map((curve) => `${label(curve.name)} ${format(curve.values.at(-1))}`);
    return `<tr><th scope="row"><a href="#${anchor(stage)}">${escapeHtml(stage.name)}</a></th>
<td>${escapeHtml(state)}</td><td class="n">${stage.step.toLocaleString("en")} / ${stage.steps.toLocaleString("en")}</td>
<td class="n">${escapeHtml(duration(stage.seconds))}</td><td><code>${escapeHtml(stage.provenance.recipes.join(" "))}</code></td><td>${escapeHtml(scores.join(", "))}</td></tr>`;
  });
  const scores = (training as { scores?: Record<string, unknown> } | undefined)?.scores;
  const table = scores
    ? `<details><summary>Scores of the finished model</summary><pre>${escapeHtml(JSON.stringify(scores, null, 2))}</pre></details>`
    : "";
  return `<section><table><thead><tr><th scope="col">stage</th><th scope="col">state</th><th scope="col">steps</th>
<th scope="col">time</th><th scope="col">recipe</th><th scope="col">last validation</th></tr></thead><tbody>${rows.join("")}</tbody></table>${table}</section>`;
}

async function stageSection(stage: StageReport): Promise<string> {
  const sheets = await Promise.all(evenly(stage.sheets, MOST_SHEETS).map(figure));
  const warnings = stage.warnings.length
    ? `<details><summary>${stage.warnings.length} warnings</summary><ul>${stage.warnings
        .slice(-50)
        .map((text) => `<li>${escapeHtml(text)}</li>`)
        .join("")}</ul></details>`
    : "";
  const recipe = stage.recipe
    ? `<details><summary>Recipe</summary><pre>${escapeHtml(JSON.stringify(stage.recipe, null, 2))}</pre></details>`
    : "";
  return `<section id="${anchor(stage)}"><h2>${escapeHtml(stage.name)}</h2>
<div class="charts" data-stage="${escapeHtml(stage.name)}"></div>
${sheets.length ? `<div class="sheets">${sheets.join("")}</div>` : ""}${warnings}${recipe}</section>`;
}

async function figure({ name, step, path }: Sheet): Promise<string> {
  const png = Buffer.from(await readFileBounded(path, MAX_SHEET)).toString("base64");
  const text = step === undefined ? name : `step ${step.toLocaleString("en")}`;
  return `<figure><img src="data:image/png;base64,${png}" alt="${escapeHtml(`${name}: samples`)}" loading="lazy"><figcaption>${escapeHtml(text)}</figcaption></figure>`;
}

function thinned({ name, steps, values }: Curve): { name: string; label: string; points: [number, number][] } {
  const group = Math.ceil(steps.length / MOST_POINTS);
  const points: [number, number][] = [];
  for (let at = 0; at < steps.length; at += group) {
    const some = values.slice(at, at + group);
    const mean = some.reduce((sum, value) => sum + value, 0) / some.length;
    points.push([steps[Math.min(at + group, steps.length) - 1] ?? 0, Number(mean.toPrecision(6))]);
  }
  return { name, label: label(name), points };
}

function evenly<T>(list: readonly T[], most: number): readonly T[] {
  if (list.length <= most) return list;
  return Array.from({ length: most }, (_, i) => list[Math.round((i * (list.length - 1)) / (most - 1))] as T);
}

/** "validation/recallMean" -> "recall mean". */
function label(name: string): string {
  return name
    .replace(/^validation\//, "")
    .replace(/([a-z])([A-Z])/g, (_, a: string, b: string) => `${a} ${b.toLowerCase()}`);
}

function format(value: number | undefined): string {
  return value === undefined ? "" : String(Number(value.toPrecision(4)));
}

function duration(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

function anchor({ name }: StageReport): string {
  return `stage-${encodeURIComponent(name)}`;
}
