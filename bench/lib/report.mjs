/**
 * RESULTS.md: a block for each maker of processors, and in it a section for each benchmark, replaced by each run; and what
 * the numbers were measured on.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus } from "node:os";

const FILE = new URL("../RESULTS.md", import.meta.url);

/** Who made the processor: sections of different makers stand in different blocks. */
export function vendor(model = cpus()[0].model) {
  return ["AMD", "Intel", "Apple"].find((name) => model.includes(name)) ?? "Other processors";
}

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

/** The file as blocks of sections, both by their titles. @returns {{ head: string, blocks: Map<string, Map<string, string>> }} */
function readBlocks() {
  const text = existsSync(FILE) ? readFileSync(FILE, "utf8") : "# Measurements\n";
  const [head, ...blocks] = text.trimEnd().split(/\n(?=## )/);
  /** @type {[string, Map<string, string>][]} */
  const parsed = blocks.map((block) => {
    const [title, ...sections] = block.split(/\n(?=### )/);
    return [title.slice(3).trim(), new Map(sections.map((section) => split(section)))];
  });
  return { head: head.trimEnd(), blocks: new Map(parsed) };
}

/** @returns {[string, string]} */
function split(section) {
  const end = section.indexOf("\n");
  return [section.slice(4, end).trim(), section.slice(end).trim()];
}

/**
 * Puts the section in the place of the last one with the same title in the block of this machine's maker, else at its end,
 * and says what changed by more than a tenth.
 * @param {string} title @param {string} body
 */
export function writeSection(title, body) {
  const { head, blocks } = readBlocks();
  const sections = blocks.get(vendor()) ?? new Map();
  const changed = changes(sections.get(title) ?? "", body);
  if (changed.length > 0) console.log(`\nAgainst the last run on ${vendor()}:\n${changed.join("\n")}`);
  blocks.set(vendor(), sections.set(title, body.trim()));
  const text = [...blocks].flatMap(([name, all]) => [
    `## ${name}`,
    ...[...all].map((one) => `### ${one.join("\n\n")}`),
  ]);
  writeFileSync(FILE, `${[head, ...text].join("\n\n")}\n`);
}

/** A change below this share is not reported. */
const TOLD = 0.1;

/**
 * Numbers that differ between two versions of a section: those of cells with the same row and column.
 * @param {string} before @param {string} after @returns {string[]} a line each
 */
export function changes(before, after) {
  const old = cells(before);
  return [...cells(after)].flatMap(([name, text]) => {
    const [was, is] = [old.get(name) ?? "", text].map((cell) =>
      Number(/-?[\d.]+(e-?\d+)?/.exec(cell)?.[0] ?? Number.NaN),
    );
    const ratio = is / was;
    return Number.isFinite(ratio) && Math.abs(ratio - 1) > TOLD
      ? [`  ${name}: ${old.get(name)} -> ${text} (x ${ratio.toFixed(2)})`]
      : [];
  });
}

/** Cells of the tables of a text, by row and column. */
function cells(text) {
  const found = new Map();
  let head;
  for (const line of text.split("\n")) {
    if (!line.startsWith("|")) head = undefined;
    else if (!head) head = cellsOf(line);
    else if (!/^\|[\s:-]+\|/.test(line)) {
      const [name, ...rest] = cellsOf(line);
      for (const [i, cell] of rest.entries()) found.set(`${name}, ${head[i + 1]}`, cell);
    }
  }
  return found;
}

const cellsOf = (line) =>
  line
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.trim());
