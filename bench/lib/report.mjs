/** RESULTS.md: one section a benchmark, replaced by each run; and what the numbers were measured on. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus } from "node:os";

const FILE = new URL("../RESULTS.md", import.meta.url);

/** One line: date, commit, processor, versions. @param {Record<string, string>} versions of the peers */
export function setting(versions) {
  const git = (...args) => execFileSync("git", args, { encoding: "utf8" }).trim();
  const changed = git("status", "--porcelain", "--", "src", "assembly", "bench/peers", "bench/sides")
    ? " (changed)"
    : "";
  const ort = createRequire(import.meta.url)("onnxruntime-node/package.json").version;
  const all = { Node: process.versions.node, "ONNX Runtime": ort, ...versions };
  const software = Object.entries(all).map(([name, version]) => `${name} ${version}`);
  return [
    new Date().toISOString().slice(0, 10),
    `commit ${git("rev-parse", "--short", "HEAD")}${changed}`,
    `${cpus()[0].model.trim()}, ${cpus().length} cores`,
    ...software,
  ].join("; ");
}

/** A Markdown table with aligned columns, as the formatter wants it. @param {readonly string[]} head @param {readonly (readonly string[])[]} rows */
export function table(head, rows) {
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map((cells) => cells[i].length)));
  const line = (cells) => `| ${cells.map((cell, i) => cell.padEnd(widths[i])).join(" | ")} |`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}

/** Puts the section in the place of the last one with the same title, else at the end. @param {string} title @param {string} body */
export function writeSection(title, body) {
  const text = existsSync(FILE) ? readFileSync(FILE, "utf8") : "# Measurements\n";
  const parts = text.trimEnd().split(/\n(?=## )/);
  const section = `## ${title}\n\n${body.trim()}\n`;
  const at = parts.findIndex((part) => part.startsWith(`## ${title}\n`));
  if (at < 0) parts.push(section);
  else parts[at] = section;
  writeFileSync(FILE, `${parts.map((part) => part.trimEnd()).join("\n\n")}\n`);
}
