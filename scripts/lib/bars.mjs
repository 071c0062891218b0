/** The bars that were set before the model was trained, read off the JSON of `seedling eval`. */

const CAPTION_MARGIN = 0.02;
/** Changes of a caption that concern where things are; the others are what they are and how many. */
const SPATIAL = ["sides", "above-below", "position", "fade"];
const STYLES = ["openmoji", "emojione-v1", "streamline-emojis"];
const SPLITS = ["test", "held-out-style", "held-out-pairs"];

const one = (x) => (typeof x === "number" ? x.toFixed(1) : "-");
const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;

/**
 * One object a bar: key (its section in docs/results/misses.md), short, bar, got, reached. The last two are undefined
 * where the section was not measured.
 */
export function bars(scores) {
  const { "retrieval test": test, pairs, codebook, reconstruction, "judged, share of the originals": shares } = scores;
  const naming = scores["naming openmoji"] && STYLES.map((style) => [style, scores[`naming ${style}`]]);
  const entry = (key, short, bar, section, got, reached) => ({
    ...{ key, short, bar },
    got: section && got(section),
    reached: section && reached(section),
  });
  const r1 = ({ embeddings: { imageToText, textToImage } }) => [imageToText.r1, textToImage.r1];
  const byCodes = (wanted) => (section) =>
    Object.entries(section)
      .filter(([kind]) => wanted(SPATIAL.includes(kind)))
      .map(([kind, { codes }]) => [kind, codes]);
  const where = byCodes((spatial) => spatial);
  const what = byCodes((spatial) => !spatial);
  const listed = (kinds) => kinds.map(([kind, value]) => `${kind} ${one(value)}`).join(", ");
  const found = (of) => of.objectsFound.mean;
  return [
    entry(
      "embeddings",
      "retrieval by causal embeddings, R@1, picture to text / text to picture",
      "90 % each",
      test,
      (s) => `${r1(s).map(one).join(" / ")} %`,
      (s) => Math.min(...r1(s)) >= 90,
    ),
    entry(
      "codes",
      "mean recall that codes keep",
      "99 %",
      test,
      (s) => `${one(s.keptPercent)} %`,
      (s) => s.keptPercent >= 99,
    ),
    entry(
      "where",
      "a caption told by codes from one with a single change: where things are, %",
      "90 each, chance 50",
      pairs,
      (s) => listed(where(s)),
      (s) => where(s).every(([, value]) => value >= 90),
    ),
    entry(
      "what",
      "... and what they are",
      "97 each, chance 50",
      pairs,
      (s) => listed(what(s)),
      (s) => what(s).every(([, value]) => value >= 97),
    ),
    entry(
      "naming",
      "naming single drawings of styles never trained on by codes, top 1, %",
      "above the nearest training pixels in each",
      naming,
      (s) =>
        s.map(([style, { codes, pixels }]) => `${style} ${one(codes.top1)} (pixels ${one(pixels.top1)})`).join(", "),
      (s) => s.every(([, { codes, pixels }]) => codes.top1 > pixels.top1),
    ),
    entry(
      "usage",
      "codes in use over 10,000 scenes",
      "80 %",
      codebook,
      (s) => `${one(100 * s.usage)} %`,
      (s) => s.usage >= 0.8,
    ),
    entry(
      "decoded",
      "decoded from codes, as a share of the originals: objects found by a judge, counts, sides",
      "80, 90, 90 %",
      shares,
      ({ fromCodes: s }) => `${one(found(s))}, ${one(s.countsRight.mean)}, ${one(s.sidesRight.mean)} %`,
      ({ fromCodes: s }) => found(s) >= 80 && s.countsRight.mean >= 90 && s.sidesRight.mean >= 90,
    ),
    entry(
      "drafts",
      "objects found in drafts, without diffusion, as such a share",
      "60 %",
      shares?.drafts && shares,
      ({ drafts }) => `${one(found(drafts))} %`,
      ({ drafts }) => found(drafts) >= 60,
    ),
    entry(
      "captions-decoded",
      "objects found in pictures straight from captions, as such a share",
      "60 %",
      shares,
      ({ fromCaptions }) => `${one(found(fromCaptions))} %`,
      ({ fromCaptions }) => found(fromCaptions) >= 60,
    ),
    entry(
      "reconstruction",
      "clip similarity of pictures decoded from codes",
      `${CAPTION_MARGIN} below the caption's`,
      reconstruction,
      (s) => `${s.fromCodes.toFixed(3)} (caption ${s.fromCaption.toFixed(3)})`,
      (s) => s.fromCodes >= s.fromCaption - CAPTION_MARGIN,
    ),
  ];
}

/**
 * The bars of a language model that sees and draws, read off the JSON of `seedling eval language`.
 * @param model its name; the bar for drawings depends on it
 */
export function languageBars(scores, model) {
  const { once } = scores["captions test"];
  const kinds = Object.entries(scores["questions test"].kinds).map(([kind, { seeing, likeliest }]) => {
    return { kind, points: seeing - likeliest };
  });
  const ahead = mean(kinds.map(({ points }) => points));
  const below = kinds.filter(({ points }) => points < 0);
  const floors = SPLITS.map((split) => scores[`captions ${split}`]).filter((split) => split?.withoutLanguageModel);
  const drawn = (split) => scores[`drawings ${split}, share of real pictures`]?.drawn.objectsFound.mean;
  const share = model === "seedling-mini" ? 65 : 70;
  const wellFormed = scores.spans?.wellFormed;
  const measured = (value, reached) => (value === undefined ? undefined : reached(value));
  return [
    {
      key: "captions",
      short: "captions in one go: object F1, exactly right, relations right",
      bar: "0.88, 65 %, 85 %",
      got: `${once.objectF1.toFixed(3)}, ${one(once.exactly)} %, ${one(once.relationAccuracy)} %`,
      reached: once.objectF1 >= 0.88 && once.exactly >= 65 && once.relationAccuracy >= 85,
    },
    {
      key: "floor",
      short: `... object F1 beside the training caption that is nearest to the codes, ${SPLITS.join(", ")}`,
      bar: "above it each time",
      got: floors.length
        ? floors.map((s) => `${s.once.objectF1.toFixed(3)} (${s.withoutLanguageModel.objectF1.toFixed(3)})`).join(", ")
        : "not measured",
      reached: floors.length ? floors.every((s) => s.once.objectF1 > s.withoutLanguageModel.objectF1) : undefined,
    },
    {
      key: "questions",
      short: "questions, points above the likeliest answer, mean over kinds",
      bar: "30, no kind below it",
      got: `${one(ahead)}${below.length ? `; below it: ${below.map(({ kind, points }) => `${kind} ${one(points)}`).join(", ")}` : ""}`,
      reached: ahead >= 30 && below.length === 0,
    },
    {
      key: "drawings",
      short:
        "objects of a prompt that a judge finds in the drawing, as a share of those in real pictures; of held-out pairs",
      bar: `${share} %, 50 %`,
      got: `${one(drawn("test"))}, ${one(drawn("held-out-pairs"))} %`,
      reached: measured(drawn("test"), (value) => value >= share && drawn("held-out-pairs") >= 50),
    },
    {
      key: "spans",
      short: "drawings that are well formed without a rule",
      bar: "100 %",
      got: wellFormed === undefined ? "not measured" : `${wellFormed.toFixed(2)} %`,
      reached: measured(wellFormed, (value) => value >= 100),
    },
  ];
}

/** The sections of a Markdown text by their `## ` headings. */
export function sectionsOf(text) {
  const parts = text.split(/^## /m).slice(1);
  return new Map(
    parts.map((part) => {
      const [name, ...lines] = part.split("\n");
      return [name.trim(), lines.join("\n").trim()];
    }),
  );
}
