/** docs/results.md from whatever was measured. */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

const script = resolve("scripts/write-results.mjs");
const MARKS = "<!-- scores: written by a script -->\n\nold\n\n<!-- /scores -->\n";
const CARDS = ["README.md", "models/seedling-mini/README.md", "models/seedling-smollm2/README.md"];

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "seedling-results-"));
  mkdirSync(join(root, "docs"));
  for (const name of ["mini", "smollm2"]) mkdirSync(join(root, `models/seedling-${name}`), { recursive: true });
  cpSync("docs/results", join(root, "docs/results"), { recursive: true });
  for (const path of CARDS) writeFileSync(join(root, path), MARKS);
  writeFileSync(join(root, "models/seedling-mini/config.json"), JSON.stringify({ codebook: { codes: 8192 } }));
});
afterAll(() => rmSync(root, { recursive: true }));

// biome-ignore lint/suspicious/noExplicitAny: JSON of many shapes
function change(name: string, edit: (scores: any) => void): void {
  const path = join(root, `docs/results/${name}.json`);
  const scores = JSON.parse(readFileSync(path, "utf8"));
  edit(scores);
  writeFileSync(path, JSON.stringify(scores));
}

function written(): string {
  execFileSync(process.execPath, [script], { cwd: root });
  return readFileSync(join(root, "docs/results.md"), "utf8");
}

/** A share as `seedling eval` writes it. */
const at = (mean: number | null) => ({ mean, low: mean, high: mean });
const share = (objects: number, sides: number | null) => ({
  ...{ objectsFound: at(objects), countsRight: at(90), sidesRight: at(sides) },
});

test("bars are reached or missed by the scores, with the reason where it is written", () => {
  change("mini", (scores) => {
    scores["retrieval test"].embeddings.imageToText.r1 = 90;
    scores["retrieval test"].embeddings.textToImage.r1 = 89.9;
    scores["retrieval test"].keptPercent = 99;
    const kind = (codes: number) => ({ pairs: 100, embeddings: 99, codes, captionCosine: 0.7 });
    scores.pairs = { sides: kind(90), "above-below": kind(95), position: kind(91), fade: kind(92), color: kind(96.9) };
    for (const style of ["openmoji", "emojione-v1", "streamline-emojis"]) {
      scores[`naming ${style}`].codes.top1 = 60;
      scores[`naming ${style}`].pixels.top1 = style === "emojione-v1" ? 60 : 59;
    }
    Object.assign(scores.reconstruction, { fromCodes: 0.48, fromCaption: 0.499 });
    scores.codebook.usage = 0.799;
    scores["judged, share of the originals"] = {
      ...{ fromCodes: share(80, 90), drafts: share(59.9, 80), fromCaptions: share(61, null) },
      ...{ flatGray: share(3.16, null), backgroundOnly: share(3, null), codesOfAnother: share(2, null) },
    };
  });
  writeFileSync(join(root, "docs/results/misses.md"), "# Why\n\n## usage\n\nToo few steps. Next: more.\n");
  const text = written();
  const bars = text.slice(text.indexOf("## Bars"), text.indexOf("## Retrieval"));
  expect([...bars.matchAll(/\| ([^|]*) \|$/gm)].slice(2).map(([, cell]) => cell)).toEqual([
    "**MISSED**", // retrieval
    "reached", // kept by codes
    "reached", // where things are
    "**MISSED**", // what they are
    "**MISSED**", // naming
    "**MISSED**", // usage
    "reached", // decoded from codes
    "**MISSED**", // drafts
    "reached", // straight from captions
    "reached", // clip similarity
  ]);
  expect(bars).toContain("Missed: codes in use over 10,000 scenes: 80 %. Too few steps. Next: more.");
  expect(bars).toMatch(/Missed: naming single drawings .* Why is not written yet/);
});

test("two language models stand side by side, each with its own reasons", () => {
  cpSync(join(root, "docs/results/language.json"), join(root, "docs/results/language-smollm2.json"));
  change("language", (scores) => {
    scores.spans = { spans: 1000, wellFormed: 99.95 };
    Object.assign(scores["captions test"].once, { objectF1: 0.9, exactly: 66, relationAccuracy: 86 });
  });
  change("language-smollm2", (scores) => {
    delete scores.spans;
    scores["captions test"].once.objectF1 = 0.5;
  });
  writeFileSync(
    join(root, "docs/results/misses.md"),
    "# Why\n\n## seedling-mini captions\n\nNot this.\n\n## smollm2-135m captions\n\nToo short.\n",
  );
  const text = written();
  expect(text).toContain(
    "Missed: captions in one go: object F1, exactly right, relations right: 0.88, 65 %, 85 %. Too short.",
  );
  expect(text).not.toContain("Not this.");
  const rows = (path: string): string[] => readFileSync(join(root, path), "utf8").match(/^\|.*well formed.*$/gm)!;
  expect(rows("README.md").map((line) => line.split("|")[2]!.trim())).toEqual(["99.95 %", "not measured"]);
  expect(rows("models/seedling-mini/README.md")).toHaveLength(1);
  expect(rows("models/seedling-smollm2/README.md")[0]).toContain("SmolLM2-135M");
});

test("what was not measured is said to be so", () => {
  change("untrained", (scores) => {
    for (const name of Object.keys(scores)) if (name !== "nouns") delete scores[name];
  });
  change("mini", (scores) => {
    delete scores["reconstruction held-out-style"];
  });
  const text = written();
  expect(text).toContain("| untrained, codes | not measured |");
  expect(text).toMatch(/\| untrained \| not measured \|/);
  expect(text).not.toMatch(/undefined|NaN|null/);
  expect(readFileSync(join(root, "README.md"), "utf8")).toContain("untrained not measured");
});

test("what a judge found, minimal pairs and disturbed pictures, where they were measured", () => {
  change("mini", (scores) => {
    delete scores.judged;
  });
  expect(written()).not.toContain("What a judge finds in");
  const seen = (found: number) => ({ objectsFound: at(found), sidesRight: at(null), falseFinds: at(0.25) });
  change("mini", (scores) => {
    scores.judged = { pictures: 200, originals: seen(95), flatGray: seen(3) };
    Object.assign(scores["judged, share of the originals"], { flatGray: seen(3.16) });
    scores.pairs.sides = { pairs: 500, embeddings: 93.24, codes: 91, captionCosine: 0.71 };
    scores.robustness = { jpeg30: { codesKept: 71, embeddingsR1: 80, codesR1: 78.5 } };
  });
  change("language", (scores) => {
    scores["drawings test, judged"] = { originals: seen(95), drawn: seen(60) };
  });
  const text = written();
  expect(text).toContain("## What a judge finds in decoded pictures, 200 test scenes");
  expect(text).toContain("| originals | 95.0 (95.0 to 95.0) | - | 0.3 (0.3 to 0.3) |");
  expect(text).toContain("| flat gray | 3.2 (3.2 to 3.2) | - |");
  expect(text).toContain("| sides | 500 | 93.2 | 91.0 | 0.710 |");
  expect(text).toContain("| JPEG of quality 30 | 71.0 | 80.0 | 78.5 |");
  expect(text).toContain("| drawn by the language model | 60.0 (60.0 to 60.0) | - | 0.3 (0.3 to 0.3) |");
});
