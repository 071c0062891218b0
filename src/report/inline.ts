/** What a page that needs nothing else is made of: text that is safe in HTML, data, and Chart.js itself. */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const CHART = "chart.umd.min.js";

/** Chart.js as a classic script. The package exports modules only; the script that a page can inline is next to them. */
export async function chartSource(): Promise<string> {
  const chart = await readFile(join(dirname(createRequire(import.meta.url).resolve("chart.js")), CHART), "utf8");
  return chart.replace(/<\/script/gi, "<\\/script");
}

export function escapeHtml(text: string): string {
  const names: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
  return text.replace(/[&<>"]/g, (c) => names[c] ?? c);
}

/** JSON that no markup can end. */
export function inlineJson(value: unknown): string {
  return JSON.stringify(value).replace(/</g, "\\u003c");
}
