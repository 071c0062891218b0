/** The scorecard as one HTML file that needs nothing else: tables, bars with intervals by Chart.js, sheets as data URLs. */
import { readFileBounded } from "../../io/files.ts";
import { chartSource, escapeHtml, inlineJson } from "../../report/inline.ts";
import { style } from "../../report/page-parts.ts";
import { RULE } from "./claims.ts";
import type { PaperView, SetView, SheetView, TableView } from "./view.ts";
import { goalText, heading, NOT_RUN, ratioText, scoreText, seedsText, summary } from "./words.ts";

const MAX_SHEET = 8e6;

const STYLE = `${style}
.bars { position: relative; margin: 1rem 0; }
section th[scope="row"] { font-weight: 500; min-width: 12rem; white-space: normal; }
td small { display: block; color: var(--soft); white-space: nowrap; }
td.reproduced { color: #1a7f37; } td.reversed { color: #cf222e; } .floor { font-style: italic; }
`;

const SCRIPT = `
const css = getComputedStyle(document.documentElement);
const [soft, line, mark, ink] = ["--soft", "--line", "--mark", "--ink"].map((name) => css.getPropertyValue(name).trim());
Chart.defaults.color = soft;
Chart.defaults.borderColor = line;
Chart.defaults.animation = false;
for (const [i, { labels, means, intervals, metric }] of JSON.parse(document.getElementById("data").textContent).entries()) {
  const canvas = document.getElementById("bars-" + i);
  const bar = (data, color, thickness) => ({ data, backgroundColor: color, barThickness: thickness, grouped: false });
  new Chart(canvas, {
    type: "bar",
    data: { labels, datasets: [bar(intervals, ink, 3), bar(means, mark, 14)] },
    options: {
      indexAxis: "y", maintainAspectRatio: false,
      plugins: { legend: { display: false }, tooltip: { displayColors: false } },
      scales: { x: { beginAtZero: true, title: { display: true, text: metric + ", %" } } },
    },
  });
}
`;

interface Bars {
  readonly metric: string;
  readonly labels: readonly string[];
  readonly means: readonly number[];
  readonly intervals: readonly (readonly [number, number])[];
}

export interface HtmlOptions {
  readonly discussions: Readonly<Record<string, string>>;
}

/** @throws SetupError if a sheet cannot be read */
export async function paperHtml(view: PaperView, { discussions }: HtmlOptions): Promise<string> {
  const bars: Bars[] = [];
  const sections: string[] = [];
  for (const table of view.tables) sections.push(await tableSection(table, bars));
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>The papers' tables, with twins at the same budget</title>
<style>${STYLE}</style>
</head>
<body>
<header><h1>The papers' tables, with twins at the same budget</h1></header>
<main>
${claimSection(view, discussions)}
${sections.join("\n")}
</main>
<script type="application/json" id="data">${inlineJson(bars)}</script>
<script>${await chartSource()}</script>
<script>${SCRIPT}</script>
</body>
</html>
`;
}

function claimSection({ claims }: PaperView, discussions: HtmlOptions["discussions"]): string {
  const rows = claims.map((one) => {
    const { claim, arm, twin, ratio, verdict } = one;
    const texts = [
      `${claim.figures} (${claim.paper})`,
      scoreText(arm),
      scoreText(twin),
      ratioText(ratio),
      goalText(one),
    ];
    const said = discussions[claim.id];
    const below =
      said === undefined ? "" : `<details><summary>Discussion</summary><p>${escapeHtml(said.trim())}</p></details>`;
    const cells = texts.map((text) => numberCell(text)).join("");
    return `<tr><th scope="row">${escapeHtml(claim.text)}${below}</th>${cells}<td class="${verdict.replace(" ", "-")}">${verdict}</td></tr>`;
  });
  return `<section id="claims"><h2>Claims</h2><p>${escapeHtml(summary(claims))}</p>
<table><thead><tr>${heads(["claim", "paper", "arm", "twin", "arm / twin", "goal", "verdict"])}</tr></thead><tbody>${rows.join("")}</tbody></table>
<p>${escapeHtml(RULE)}</p></section>`;
}

/** "93.7 (92.9 to 94.4)" with the interval below the score. */
function numberCell(text: string): string {
  const [, score = text, interval] = /^(\S+) \((.* to .*)\)$/.exec(text) ?? [];
  const below = interval === undefined ? "" : `<small>${escapeHtml(interval)}</small>`;
  return `<td class="n">${escapeHtml(score)}${below}</td>`;
}

const heads = (names: readonly string[]): string =>
  names.map((name) => `<th scope="col">${escapeHtml(name)}</th>`).join("");

async function tableSection({ table, sets, runs, sheets }: TableView, bars: Bars[]): Promise<string> {
  const parts = sets.map(
    (set) => `<h3>${escapeHtml(set.set)}</h3>${setTable(set, table.ratio)}${setBars(set, table.ratio, bars)}`,
  );
  const figures = await Promise.all(sheets.map(figure));
  const commands = runs.map(
    ({ arm, losses, seed, command }) =>
      `<tr><th scope="row">${escapeHtml(arm)}, ${losses} losses, seed ${seed}</th><td><code>${escapeHtml(command)}</code></td></tr>`,
  );
  const how =
    commands.length > 0
      ? `<details><summary>Commands</summary><table><tbody>${commands.join("")}</tbody></table></details>`
      : "";
  return `<section id="${table.id}"><h2>${escapeHtml(table.title)}</h2><p>${escapeHtml(heading(table))}</p>
${parts.join("\n")}${figures.length > 0 ? `<div class="sheets">${figures.join("")}</div>` : ""}${how}</section>`;
}

/** @param measure the metric of the ratio, whose seeds are shown */
function setTable({ metrics, rows }: SetView, measure: string): string {
  const lines = rows.map(({ row, scores, ratio }) => {
    const ran = Object.keys(scores).length > 0;
    const cells = metrics.map((metric) => numberCell(ran && !scores[metric] ? "" : scoreText(scores[metric])));
    const papers = Object.entries(row.papers ?? {}).map(([metric, figures]) => `${metric} ${figures}`);
    const last = scores[measure] ?? Object.values(scores).at(-1);
    const twin = numberCell(ran ? (ratio ? ratioText(ratio) : "") : NOT_RUN);
    const rest = [last ? seedsText(last) : "", papers.join("; ")];
    return `<tr><th scope="row" class="${row.floor ? "floor" : ""}">${escapeHtml(row.label)}</th>${cells.join("")}${twin}${rest.map((text) => `<td>${escapeHtml(text)}</td>`).join("")}</tr>`;
  });
  return `<table><thead><tr>${heads(["", ...metrics, "ratio", "seeds", "paper"])}</tr></thead><tbody>${lines.join("")}</tbody></table>`;
}

/** Bars of the metric that ratios are of, if any arm has it. */
function setBars({ set, rows }: SetView, metric: string, bars: Bars[]): string {
  const some = rows.flatMap(({ row, scores }) => {
    const score = scores[metric];
    return score ? [{ label: row.label, score }] : [];
  });
  if (some.length === 0) return "";
  const labels = some.map(({ label }) => label);
  const means = some.map(({ score }) => score.mean);
  const intervals = some.map(({ score: { mean, low = mean, high = mean } }) => [low, high] as const);
  const index = bars.push({ metric, labels, means, intervals }) - 1;
  const height = 3 + 1.6 * some.length;
  return `<div class="bars" style="height:${height}rem"><canvas id="bars-${index}" role="img" aria-label="${escapeHtml(`${metric}, ${set}`)}"></canvas></div>`;
}

async function figure({ arm, path, caption }: SheetView): Promise<string> {
  const bytes = Buffer.from(await readFileBounded(path, MAX_SHEET));
  const type = /\.jpe?g$/i.test(path) ? "jpeg" : /\.webp$/i.test(path) ? "webp" : "png";
  const text = escapeHtml(`${arm}: ${caption}`);
  return `<figure><img src="data:image/${type};base64,${bytes.toString("base64")}" alt="${text}" loading="lazy"><figcaption>${text}</figcaption></figure>`;
}
