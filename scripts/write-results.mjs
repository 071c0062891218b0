// Writes docs/results.md from the JSON of `seedling eval`: docs/results/{mini,untrained}.json and, where it was
// measured, text-head.json, codebook-variants.json, quantized.json and language.json (`seedling eval --language`).
import { existsSync, readFileSync, writeFileSync } from "node:fs";

const read = (name) =>
  existsSync(`docs/results/${name}.json`) ? JSON.parse(readFileSync(`docs/results/${name}.json`, "utf8")) : undefined;
const names = ["mini", "untrained", "text-head", "codebook-variants", "quantized", "language"];
const [mini, untrained, textHead, variants, quantized, language] = names.map(read);
const { codes } = JSON.parse(readFileSync("models/seedling-mini/config.json", "utf8")).codebook;
const f = (x, digits = 1) => (x === undefined ? "" : x.toFixed(digits));
const recall = (s) => [s.imageToText, s.textToImage].flatMap(({ r1, r5, r10 }) => [f(r1), f(r5), f(r10)]);
const row = (...cells) => `| ${cells.join(" | ")} |`;
const head = (...cells) => [row(...cells), row(...cells.map((_, i) => (i === 0 ? "---" : "---:")))];

const out = [];
out.push("# Results", "", readFileSync("docs/results/about.md", "utf8").trim(), "");

for (const split of ["test", "held-out-style", "held-out-pairs"]) {
  const s = mini[`retrieval ${split}`];
  const u = untrained[`retrieval ${split}`];
  out.push(`## Retrieval, ${split}`, "", ...head("", "I→T @1", "@5", "@10", "T→I @1", "@5", "@10", "mean"));
  out.push(row("causal embeddings", ...recall(s.embeddings), f(s.embeddings.mean)));
  out.push(row("causal codes", ...recall(s.codes), f(s.codes.mean)));
  out.push(row("nearest training picture, 16 x 16 pixels", ...recall(s.pixels), f(s.pixels.mean)));
  out.push(row("untrained, embeddings", ...recall(u.embeddings), f(u.embeddings.mean)));
  out.push(row("untrained, codes", ...recall(u.codes), f(u.codes.mean)));
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
      f(u.embeddings.top1),
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
  out.push(row(name, f(100 * c.usage), f(c.perplexity, 0), entropy(c), f(c.distinct)));

if (variants) {
  const { steps, batch } = variants[0];
  out.push(
    "",
    "## The codebook as published, and the remedies",
    "",
    `Each for ${steps} steps of ${batch} pictures (recipes/mini/variants), then 500 validation scenes. Usage is over the last 50 steps. With the embeddings of the third chain, 96 nouns (docs/log.md).`,
    "",
    ...head("", "usage %", "perplexity", "cosine of the feature", "mean recall", "kept %"),
    ...variants.map((v) =>
      row(v.about, f(100 * v.usage), f(v.perplexity, 0), f(v.cosine, 3), f(v.recallMean), f(v.keptPercent)),
    ),
  );
}

out.push(
  "",
  `## Reconstruction, ${mini.reconstruction.pictures} test scenes`,
  "",
  "Mean cosine between the clip embeddings of the original and of what is painted.",
  "",
);
out.push(
  ...head(
    "painted from",
    "shipped (image embedding)",
    ...(textHead ? [`text features (v1), ${textHead.reconstruction.pictures} scenes`] : []),
    "untrained",
  ),
);
const lines = [
  ["all 32 codes", (r) => r.fromCodes],
  ["the caption (frozen diffusion model)", (r) => r.fromCaption],
  ["codes of another picture", (r) => r.fromShuffledCodes],
  ["the first 16 codes", (r) => r.fromFirst[16]],
  ["the first 8 codes", (r) => r.fromFirst[8]],
  ["the first 4 codes", (r) => r.fromFirst[4]],
];
for (const [name, get] of lines)
  out.push(
    row(
      name,
      f(get(mini.reconstruction), 3),
      ...(textHead ? [f(get(textHead.reconstruction), 3)] : []),
      untrained.reconstruction ? f(get(untrained.reconstruction), 3) : "",
    ),
  );

const s = mini.speed;
out.push(
  "",
  "## Speed on the CPU",
  "",
  ...head("", "value"),
  row("tokenizing, pictures/s in batches of 64", f(s.picturesPerSecond)),
  row("tokenizing one picture, ms (median of 20)", f(s.latencyMs)),
  row("opening the model and compiling, first picture, ms", f(s.firstMs, 0)),
  row("peak memory of the process, MB", f(s.peakMemoryMb, 0)),
  "",
);
if (quantized) out.push(...quantizedSection(quantized));
if (language) out.push(...languageSection(language));
writeFileSync("docs/results.md", `${out.join("\n")}`);

// The short table of README.md and of the model card.
const test = mini["retrieval test"];
const style = mini["retrieval held-out-style"];
const naming = mini["naming openmoji"];
const { reconstruction, codebook, speed } = mini;
const verdict = (reached) => (reached ? "reached" : "**missed**");
const r1 = ({ imageToText, textToImage }) => `${f(imageToText.r1)} / ${f(textToImage.r1)}`;
const least = Math.min(test.embeddings.imageToText.r1, test.embeddings.textToImage.r1);
const scores = [
  row("", "score", "bar or baseline"),
  row("---", "---:", "---"),
  row(
    "retrieval by causal embeddings, R@1, picture to text / text to picture",
    `${r1(test.embeddings)} %`,
    `bar 60, ${verdict(least >= 60)}; untrained ${r1(untrained["retrieval test"].embeddings)}, nearest training pixels ${r1(test.pixels)}`,
  ),
  row("retrieval by codes, R@1", `${r1(test.codes)} %`, `untrained ${r1(untrained["retrieval test"].codes)}`),
  row("mean recall that codes keep", `${f(test.keptPercent)} %`, `bar 95, ${verdict(test.keptPercent >= 95)}`),
  row(
    "retrieval in a style never trained on, embeddings, R@1",
    `${r1(style.embeddings)} %`,
    `nearest training pixels ${r1(style.pixels)}`,
  ),
  row(
    "naming single drawings of a style never trained on, top 1",
    `${f(naming.embeddings.top1)} %`,
    `nearest training pixels ${f(naming.pixels.top1)} %, ${naming.embeddings.top1 > naming.pixels.top1 ? "above" : "**below**"} the floor`,
  ),
  row(
    "codes in use over 10,000 scenes",
    `${f(codebook.usage * 100)} % of ${codes.toLocaleString("en")}, perplexity ${f(codebook.perplexity, 0)}`,
    `bar 80, ${verdict(codebook.usage >= 0.8)}`,
  ),
  row("different codes in one picture", `${f(codebook.distinct)} of 32`, ""),
  row(
    "clip similarity of pictures painted from codes",
    f(reconstruction.fromCodes, 3),
    `from the caption ${f(reconstruction.fromCaption, 3)}, from other codes ${f(reconstruction.fromShuffledCodes, 3)}`,
  ),
  row("... from the first 16 / 8 / 4 codes", [16, 8, 4].map((n) => f(reconstruction.fromFirst[n], 3)).join(" / "), ""),
  row(
    "tokenizing on two CPU cores",
    `${f(speed.picturesPerSecond, 0)} pictures/s, ${f(speed.latencyMs)} ms for one`,
    "",
  ),
].join("\n");
for (const path of ["README.md", "models/seedling-mini/README.md"]) {
  const text = readFileSync(path, "utf8");
  const between = /(<!-- scores:[^>]*-->\n\n)[\s\S]*?(\n\n<!-- \/scores -->)/;
  if (!between.test(text)) throw new Error(`${path}: expected the marks of the scores, found none.`);
  writeFileSync(
    path,
    text.replace(between, (_, before, after) => `${before}${scores}${after}`),
  );
}

/** Codes of the rounded model beside those of the exact one. */
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
function languageSection(scores) {
  const splits = ["test", "held-out-style", "held-out-pairs"];
  const lines = ["", `## The language model: ${scores.scenes} scenes of each split, ${scores.nouns} nouns`, ""];
  const both = (own, others) => `${own} (${others})`;
  lines.push("What it says of pictures; in brackets what it said of the next picture, the baseline.", "");
  lines.push(...head("captions", "object F1", "counts %", "colours %", "relations %", "exactly right %"));
  for (const split of splits) {
    const { ofOthers: o, ...c } = scores[`captions ${split}`];
    const percents = ["countAccuracy", "colourAccuracy", "relationAccuracy", "exactly"];
    lines.push(
      row(split, both(f(c.objectF1, 3), f(o.objectF1, 3)), ...percents.map((name) => both(f(c[name]), f(o[name])))),
    );
  }
  lines.push("", "Questions answered right, percent; in brackets by the same model without the picture.", "");
  const kinds = Object.keys(scores["questions test"].kinds);
  lines.push(...head("questions", "all", ...kinds));
  for (const split of splits) {
    const { kinds: own, ...all } = scores[`questions ${split}`];
    const cell = (q) => (q ? both(f(q.seeing), f(q.questionOnly)) : "");
    lines.push(row(split, cell(all), ...kinds.map((kind) => cell(own[kind]))));
  }
  lines.push("", "Things of a prompt that the clip pair finds in its picture, percent.", "");
  const columns = [
    "drawn by the language model",
    "codes of a real picture",
    "painted from the caption",
    "real pictures",
  ];
  lines.push(...head("drawings", "prompts", ...columns, "well formed without a rule %"));
  for (const split of splits) {
    const d = scores[`drawings ${split}`];
    const found = d && [d.drawn, d.realCodes, d.fromCaption, d.originals, d.wellFormed];
    if (d) lines.push(row(split, d.prompts, ...found.map((value) => f(value))));
  }
  const { base, adapted } = scores.text;
  lines.push(
    "",
    `Perplexity of held-out glosses of WordNet, ${base.tokens} tokens: ${f(base.perplexity)} by the base alone, ${f(adapted.perplexity)} with the adapter.`,
  );
  lines.push("", "The first test scenes:", "", ...head("said", "caption of the scene"));
  lines.push(...scores["captions test"].examples.map(({ said, caption }) => row(said, caption)), "");
  return lines;
}
