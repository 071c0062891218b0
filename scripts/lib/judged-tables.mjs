/** Tables of what a judge of pictures finds, of minimal pairs and of robustness, as far as they were measured. */

const row = (...cells) => `| ${cells.join(" | ")} |`;
const head = (...cells) => [row(...cells), row(...cells.map((_, i) => (i === 0 ? "---" : "---:")))];
const f = (x) => (typeof x === "number" ? x.toFixed(1) : "-");
/** "94.8 (93.1 to 96.0)"; JSON has null where there was nothing to measure. */
const interval = (value) =>
  typeof value?.mean === "number" ? `${f(value.mean)} (${f(value.low)} to ${f(value.high)})` : "-";

const SCORES = {
  objectsFound: "objects found, %",
  countsRight: "their counts right, %",
  sidesRight: "left and right, %",
  aboveRight: "above and below, %",
  backgroundRight: "background, %",
  exactlyRight: "all of it, %",
  falseFinds: "false finds a picture",
};
const ROUTES = {
  originals: "originals",
  fromCodes: "decoded from codes",
  realCodes: "decoded from the codes of the real picture",
  drafts: "drafts, without diffusion",
  fromCaptions: "straight from captions",
  fromCaption: "straight from captions",
  drawn: "drawn by the language model",
  drawnForAnother: "drawn for another prompt",
  flatGray: "flat gray",
  backgroundOnly: "the background alone",
  codesOfAnother: "decoded from another picture's codes",
};
const DISTURBED = {
  none: "as it is",
  jpeg30: "JPEG of quality 30",
  noise: "noise of deviation 16 levels",
  shift2: "moved by 2 px",
  scale90: "at 90 % of its size",
  crop90: "the middle 90 %",
  gray: "gray",
  texture: "1/f texture behind the objects",
};

/** @param scores by route; `shares` as percent of the originals' */
export function judgedTable(scores, shares) {
  const names = Object.keys(SCORES).filter((name) => scores.originals[name]);
  const routes = Object.keys(ROUTES).filter((route) => scores[route]);
  const shareNames = names.filter((name) => name !== "falseFinds");
  return [
    ...head("", ...names.map((name) => SCORES[name])),
    ...routes.map((route) => row(ROUTES[route], ...names.map((name) => interval(scores[route][name])))),
    "",
    "As a share of the originals:",
    "",
    ...head("", ...shareNames.map((name) => SCORES[name])),
    ...routes
      .filter((route) => shares?.[route])
      .map((route) => row(ROUTES[route], ...shareNames.map((name) => interval(shares[route][name])))),
    "",
  ];
}

/** Of the scores of an image tokenizer. */
export function tokenizerTables(scores) {
  const { pairs, robustness, judged } = scores;
  const out = [];
  if (judged) {
    out.push(`## What a judge finds in decoded pictures, ${judged.pictures} test scenes`, "");
    out.push(...judgedTable(judged, scores["judged, share of the originals"]));
  }
  if (pairs) {
    out.push(
      "## Minimal pairs, right in %",
      "",
      ...head("one change", "pairs", "embeddings", "codes", "cosine of both captions"),
    );
    for (const [kind, s] of Object.entries(pairs))
      out.push(row(kind, s.pairs, f(s.embeddings), f(s.codes), s.captionCosine.toFixed(3)));
    out.push("");
  }
  if (robustness) {
    out.push(
      "## Disturbed pictures",
      "",
      ...head("", "codes that stay, %", "picture to text R@1, embeddings", "codes"),
    );
    for (const [name, s] of Object.entries(robustness))
      out.push(row(DISTURBED[name] ?? name, f(s.codesKept), f(s.embeddingsR1), f(s.codesR1)));
    out.push("");
  }
  return out;
}

/** Of the scores of a language model. */
export function drawingTables(scores) {
  return ["test", "held-out-pairs"].flatMap((split) => {
    const judged = scores[`drawings ${split}, judged`];
    if (!judged) return [];
    const title = `Drawings of prompts, ${split}, as a judge sees them:`;
    return [title, "", ...judgedTable(judged, scores[`drawings ${split}, share of real pictures`])];
  });
}
