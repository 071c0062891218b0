// Writes docs/results.md from the JSON of `seedling eval`: docs/results/{mini,untrained}.json and, where it was
// measured, text-head.json, codebook-variants.json, quantized.json, language.json and language-smollm2.json (`seedling eval
// --language`).
// A section that a file lacks is said not to be measured. Why a bar is missed comes from docs/results/misses.md.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { bars, languageBars, sectionsOf } from "./lib/bars.mjs";
import { drawingTables, tokenizerTables } from "./lib/judged-tables.mjs";

const read = (name) =>
  existsSync(`docs/results/${name}.json`) ? JSON.parse(readFileSync(`docs/results/${name}.json`, "utf8")) : undefined;
const names = ["mini", "untrained", "text-head", "codebook-variants", "quantized"];
const [mini, untrained = {}, textHead, variants, quantized] = names.map(read);
const languages = [
  ["seedling-mini", read("language")],
  ["SmolLM2-135M", read("language-smollm2")],
].filter(([, scores]) => scores);
const { codes } = JSON.parse(readFileSync("models/seedling-mini/config.json", "utf8")).codebook;
const NOT_MEASURED = "not measured";
const f = (x, digits = 1) => (typeof x === "number" ? x.toFixed(digits) : NOT_MEASURED);
const row = (...cells) => `| ${cells.join(" | ")} |`;
const head = (...cells) => [row(...cells), row(...cells.map((_, i) => (i === 0 ? "---" : "---:")))];

const out = [];
out.push("# Results", "", readFileSync("docs/results/about.md", "utf8").trim(), "");
out.push("## Bars", "", ...barsSection(bars(mini)));

for (const split of ["test", "held-out-style", "held-out-pairs"]) {
  const s = mini[`retrieval ${split}`];
  const u = untrained[`retrieval ${split}`];
  out.push(`## Retrieval, ${split}`, "", ...head("", "I→T @1", "@5", "@10", "T→I @1", "@5", "@10", "mean"));
  out.push(recallRow("causal embeddings", s.embeddings));
  out.push(recallRow("causal codes", s.codes));
  out.push(recallRow("nearest training picture, 16 x 16 pixels", s.pixels));
  out.push(recallRow("untrained, embeddings", u?.embeddings));
  out.push(recallRow("untrained, codes", u?.codes));
  out.push("", `The codes keep ${f(s.keptPercent)} % of the embeddings' mean recall.`, "");
}

out.push(
  `## Naming single sprites, ${mini.nouns} nouns`,
  "",
  ...head(
    "style",
    "pictures",
    "embeddings top 1",
    "top 5",
    "codes top 1",
    "top 5",
    "pixels top 1",
    "top 5",
    "untrained top 1",
  ),
);
for (const style of ["openmoji", "emojione-v1", "streamline-emojis"]) {
  const s = mini[`naming ${style}`];
  const u = untrained[`naming ${style}`];
  out.push(
    row(
      style,
      s.embeddings.pictures,
      f(s.embeddings.top1),
      f(s.embeddings.top5),
      f(s.codes.top1),
      f(s.codes.top5),
      f(s.pixels.top1),
      f(s.pixels.top5),
      f(u?.embeddings.top1),
    ),
  );
}

const entropy = (c) => `${f(Math.min(...c.entropyBits), 2)} to ${f(Math.max(...c.entropyBits), 2)}`;
out.push(
  "",
  `## Codebook over ${mini.codebook.pictures} test scenes`,
  "",
  ...head("", "usage %", "perplexity", "entropy of a position, bits", "different codes in a picture, of 32"),
);
for (const [name, { codebook: c }] of Object.entries({ trained: mini, untrained }))
  out.push(
    c
      ? row(name, f(100 * c.usage), f(c.perplexity, 0), entropy(c), f(c.distinct))
      : row(name, NOT_MEASURED, "", "", ""),
  );

if (variants) {
  const { steps, batch } = variants[0];
  out.push(
    "",
    "## The codebook as published, and the remedies",
    "",
    `Each for ${steps} steps of ${batch} pictures (recipes/mini/variants), then 500 validation scenes. Usage is over the last 50 steps. With the embeddings of the shipped model.`,
    "",
    ...head("", "usage %", "perplexity", "cosine of the feature", "mean recall", "kept %"),
    ...variants.map((v) =>
      row(v.about, f(100 * v.usage), f(v.perplexity, 0), f(v.cosine, 3), f(v.recallMean), f(v.keptPercent)),
    ),
  );
}

const inStyle = mini["reconstruction held-out-style"];
out.push(
  "",
  `## Reconstruction, ${mini.reconstruction.pictures} test scenes${inStyle ? `, ${inStyle.pictures} in the held-out style` : ""}`,
  "",
  "Mean cosine between the clip embeddings of the original and of what is decoded, by the clip pair of the shipped model.",
  "",
);
const columns = [
  ["shipped (image embedding)", mini.reconstruction],
  ["the same, held-out style", inStyle],
  ...(textHead ? [[`text features (v1), ${textHead.reconstruction.pictures} scenes`, textHead.reconstruction]] : []),
  ["untrained", untrained.reconstruction],
  ["untrained, held-out style", untrained["reconstruction held-out-style"]],
];
/** @type {[string, (r: any) => unknown][]} */
const lines = [
  ["all 32 codes", (r) => r.fromCodes],
  ["the caption (frozen diffusion model)", (r) => r.fromCaption],
  ["codes of another picture", (r) => r.fromShuffledCodes],
  ["the first 16 codes", (r) => r.fromFirst[16]],
  ["the first 8 codes", (r) => r.fromFirst[8]],
  ["the first 4 codes", (r) => r.fromFirst[4]],
  ["nothing: the nearest training picture, 16 x 16 pixels", (r) => r.nearestPixels],
];
out.push(...head("decoded from", ...columns.map(([name]) => name)));
for (const [name, get] of lines) out.push(row(name, ...columns.map(([, r]) => f(r && get(r), 3))));

out.push("", ...tokenizerTables(mini));

const s = mini.speed;
out.push(
  "## Speed on the CPU",
  "",
  "All of a fresh process that does nothing but tokenize.",
  "",
  ...head("", "value"),
  row("tokenizing, pictures/s in batches of 64", f(s.picturesPerSecond)),
  row("tokenizing one picture, ms (median of 20)", f(s.latencyMs)),
  row("opening the model folder until the first picture is coded, ms", f(s.loadMs, 0)),
  row("of which compiling and the first picture, ms", f(s.firstMs, 0)),
  row("peak memory of the process after one picture, MB", f(s.firstMemoryMb, 0)),
  row("peak memory of the process after batches of 64, MB", f(s.peakMemoryMb, 0)),
  row("training pictures drawn per second, on one core", f(s.scenesPerSecond, 0)),
  "",
);
if (quantized) out.push(...quantizedSection(quantized));
for (const [name, language] of languages) out.push(...languageSection(name, language), ...drawingTables(language));
writeFileSync("docs/results.md", `${out.join("\n")}`);

// The short table of README.md and of the model card.
const test = mini["retrieval test"];
const style = mini["retrieval held-out-style"];
const { reconstruction, codebook, speed } = mini;
const r1 = (r) => (r ? `${f(r.imageToText.r1)} / ${f(r.textToImage.r1)}` : NOT_MEASURED);
const untrainedTest = untrained["retrieval test"];
const HEAD = [row("", "score", "bar or baseline"), row("---", "---:", "---")];
const barRow = ({ short, bar, got, reached }, more = "") =>
  row(short, got ?? NOT_MEASURED, `bar ${bar}, ${verdict(reached)}${more && `; ${more}`}`);
const shares = mini["judged, share of the originals"];
const foundIn = (route) => f(shares?.[route]?.objectsFound.mean);
const baselines = {
  embeddings: `untrained ${r1(untrainedTest?.embeddings)}, nearest training pixels ${r1(test.pixels)}`,
  usage: `perplexity ${f(codebook.perplexity, 0)} of ${codes.toLocaleString("en")}`,
  decoded: `objects in the background alone ${foundIn("backgroundOnly")}, by another picture's codes ${foundIn("codesOfAnother")} %`,
  reconstruction: `other codes ${f(reconstruction.fromShuffledCodes, 3)}, untrained ${f(untrained.reconstruction?.fromCodes, 3)}, nearest training pixels ${f(reconstruction.nearestPixels, 3)}`,
};
const barRows = new Map(bars(mini).map((one) => [one.key, barRow(one, baselines[one.key])]));
const styleRow = row(
  "retrieval in a style never trained on, embeddings, R@1",
  `${r1(style.embeddings)} %`,
  `nearest training pixels ${r1(style.pixels)}`,
);
const pictureRows = [
  ...barRows.values(),
  styleRow,
  row("retrieval by codes, R@1", `${r1(test.codes)} %`, `untrained ${r1(untrainedTest?.codes)}`),
  row("different codes in one picture", `${f(codebook.distinct)} of 32`, ""),
  row(
    "clip similarity from the first 16 / 8 / 4 codes",
    [16, 8, 4].map((n) => f(reconstruction.fromFirst[n], 3)).join(" / "),
    "",
  ),
  row(
    "... in a style never trained on, from all codes",
    f(inStyle?.fromCodes, 3),
    `from the caption ${f(inStyle?.fromCaption, 3)}, nearest training pixels ${f(inStyle?.nearestPixels, 3)}`,
  ),
];
const speedRows = [
  row(
    "tokenizing on two CPU cores",
    `${f(speed.picturesPerSecond, 0)} pictures/s, ${f(speed.latencyMs)} ms for one`,
    "",
  ),
  row(
    "opening the model until the first codes; peak memory",
    `${f(speed.loadMs, 0)} ms; ${f(speed.firstMemoryMb, 0)} MB`,
    "",
  ),
];
const languageRows = new Map(
  languages.map(([name, language]) => [
    name,
    languageBars(language, name).map(({ short, ...rest }) => barRow({ short: `${name}: ${short}`, ...rest })),
  ]),
);
const smollm2 = languageRows.get("SmolLM2-135M");
// README.md: the few that tell most.
const telling = ["embeddings", "codes", "where", "what", "naming", "decoded", "drafts"].map((key) => barRows.get(key));
writeScores("README.md", [...telling, styleRow, ...[...languageRows.values()].flat(), speedRows[0]]);
writeScores("models/seedling-mini/README.md", [
  ...pictureRows,
  ...(languageRows.get("seedling-mini") ?? []),
  ...speedRows,
]);
if (smollm2) writeScores("models/seedling-smollm2/README.md", smollm2);

/** The table between the marks of a file. */
function writeScores(path, rows) {
  const text = readFileSync(path, "utf8");
  const between = /(<!-- scores:[^>]*-->\n\n)[\s\S]*?(\n\n<!-- \/scores -->)/;
  if (!between.test(text)) throw new Error(`${path}: expected the marks of the scores, found none.`);
  const table = [...HEAD, ...rows].join("\n");
  writeFileSync(
    path,
    text.replace(between, (_, before, after) => `${before}${table}${after}`),
  );
}

function verdict(reached) {
  if (reached === undefined) return NOT_MEASURED;
  return reached ? "reached" : "**MISSED**";
}

/** Every bar with what was reached; below them why some are missed. */
function barsSection(all) {
  const path = "docs/results/misses.md";
  const reasons = existsSync(path) ? sectionsOf(readFileSync(path, "utf8")) : new Map();
  const missed = all.filter(({ reached }) => reached === false);
  return [
    ...head("bar", "measured", ""),
    ...all.map(({ short, bar, got, reached }) => row(`${short}: ${bar}`, got ?? NOT_MEASURED, verdict(reached))),
    "",
    ...missed.flatMap(({ key, short, bar }) => [
      `Missed: ${short.replace(/^\.\.\. /, "")}: ${bar}. ${reasons.get(key) ?? `Why is not written yet (${path}).`}`,
      "",
    ]),
  ];
}

function recallRow(name, scores) {
  if (!scores) return row(name, NOT_MEASURED, "", "", "", "", "", "");
  const { imageToText, textToImage, mean } = scores;
  return row(name, ...[imageToText, textToImage].flatMap(({ r1, r5, r10 }) => [f(r1), f(r5), f(r10)]), f(mean));
}

/** Codes of the rounded model next to those of the exact one. */
function quantizedSection({ scenes, recallMean, variants: rounded }) {
  const rows = Object.entries(rounded).map(([name, one]) =>
    row(
      name,
      f(one.equalPercent),
      f(one.recallMean),
      `${(one.bytes / 1e6).toFixed(1)} of ${(one.bytesBefore / 1e6).toFixed(1)}`,
    ),
  );
  return [
    `## Rounded weights, ${scenes} test scenes`,
    "",
    `\`node scripts/quantized-agreement.mjs\`. The bar is 97 % of codes equal with 8 bits. Codes of the floats: mean recall ${f(recallMean)}.`,
    "",
    ...head("weights", "codes equal %", "mean recall of codes", "MB"),
    ...rows,
    "",
  ];
}

/** Captions, questions and drawings of the language model. */
function languageSection(name, scores) {
  const splits = ["test", "held-out-style", "held-out-pairs"];
  const lines = ["", `## ${name} sees and draws: ${scores.scenes} scenes of each split, ${scores.nouns} nouns`, ""];
  const key = name.toLowerCase();
  const named = languageBars(scores, name).map((bar) => ({ ...bar, key: `${key} ${bar.key}` }));
  lines.push(...barsSection(named));
  const both = (own, others) => `${own} (${others})`;
  lines.push(
    `What it says of pictures: of ${scores.describing?.bestOf ?? 16} descriptions the one that the tokenizer's text encoder places nearest to the codes, as \`seedling describe\` does; and in one go, the likeliest words. In brackets what it said of the next picture, the baseline.`,
    "",
  );
  lines.push(...head("captions", "object F1", "counts %", "colors %", "relations %", "exactly right %"));
  for (const split of splits) {
    const { ofOthers: o, once, withoutLanguageModel: floor, ...c } = scores[`captions ${split}`];
    const percents = ["countAccuracy", "colorAccuracy", "relationAccuracy", "exactly"];
    lines.push(
      row(split, both(f(c.objectF1, 3), f(o.objectF1, 3)), ...percents.map((name) => both(f(c[name]), f(o[name])))),
      row(`${split}, in one go`, f(once?.objectF1, 3), ...percents.map((name) => f(once?.[name]))),
      ...(floor
        ? [row(`${split}, without a language model`, f(floor.objectF1, 3), ...percents.map((name) => f(floor[name])))]
        : []),
    );
  }
  lines.push(
    "",
    "Questions answered right, percent; in brackets by the same model without the picture, and by the answer that 40,000 training scenes have most often to the same question, or to its kind where they never have it.",
    "",
  );
  const kinds = Object.keys(scores["questions test"].kinds);
  lines.push(...head("questions", "all", ...kinds));
  for (const split of splits) {
    const { kinds: own, ...all } = scores[`questions ${split}`];
    const cell = (q) => (q ? both(f(q.seeing), `${f(q.questionOnly)}; ${f(q.likeliest)}`) : "");
    lines.push(row(split, cell(all), ...kinds.map((kind) => cell(own[kind]))));
  }
  lines.push("", "Things of a prompt that the clip pair finds in its picture, percent.", "");
  const columns = [
    "drawn by the language model",
    "codes of a real picture",
    "sampled from the caption",
    "real pictures",
  ];
  lines.push(...head("drawings", "prompts", ...columns));
  for (const split of splits) {
    const d = scores[`drawings ${split}`];
    const found = d && [d.drawn, d.realCodes, d.fromCaption, d.originals];
    if (d) lines.push(row(split, d.prompts, ...found.map((value) => f(value))));
  }
  const { base, adapted } = scores.text;
  lines.push(
    "",
    `Of ${scores.spans?.spans ?? "the"} drawings written without any rule, ${f(scores.spans?.wellFormed, 2)} % are a beginning, 32 codes and an end.`,
    "",
    `Perplexity of held-out glosses of WordNet, ${base.tokens} tokens: ${f(base.perplexity)} by the base alone, ${f(adapted.perplexity)} with the adapter.`,
  );
  lines.push("", "The first test scenes:", "", ...head("said", "caption of the scene"));
  lines.push(...scores["captions test"].examples.map(({ said, caption }) => row(said, caption)), "");
  return lines;
}
