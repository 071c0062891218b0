/** The bars that were set before anything was trained, read off the JSON of `seedling eval`. */

const NAMING_FULL_TABLE = 26.3; // nearest training sprite by pixels, all 572 nouns, openmoji
const CAPTION_MARGIN = 0.02;

/**
 * One object a bar: key (its section in docs/results/misses.md), bar, got, reached. The last two are undefined where
 * the section was not measured.
 */
export function bars(scores) {
  const { "retrieval test": test, "naming openmoji": naming, codebook, reconstruction } = scores;
  const bar = (key, text, section, got, reached) => ({
    key,
    bar: text,
    ...(section ? { got: got(section), reached: reached(section) } : {}),
  });
  const r1 = ({ embeddings: { imageToText, textToImage } }) => [imageToText.r1, textToImage.r1];
  const percents = (...values) => `${values.map((x) => x.toFixed(1)).join(" / ")} %`;
  return [
    bar(
      "embeddings",
      "retrieval by embeddings, R@1: 60 % or more each way",
      test,
      (s) => percents(...r1(s)),
      (s) => Math.min(...r1(s)) >= 60,
    ),
    bar(
      "codes",
      "mean recall that codes keep: 95 % or more",
      test,
      (s) => percents(s.keptPercent),
      (s) => s.keptPercent >= 95,
    ),
    bar(
      "naming",
      `naming openmoji, top 1: above ${NAMING_FULL_TABLE} %, the pixels' score on the full table`,
      naming,
      (s) => percents(s.embeddings.top1),
      (s) => s.embeddings.top1 > NAMING_FULL_TABLE,
    ),
    bar(
      "naming-floor",
      naming
        ? `... and above ${percents(naming.pixels.top1)}, the pixels' score on these nouns`
        : "... and on these nouns",
      naming,
      (s) => percents(s.embeddings.top1),
      (s) => s.embeddings.top1 > s.pixels.top1,
    ),
    bar(
      "usage",
      "codes in use: 80 % or more",
      codebook,
      (s) => percents(100 * s.usage),
      (s) => s.usage >= 0.8,
    ),
    bar(
      "reconstruction",
      `decoded from codes: at most ${CAPTION_MARGIN} below sampled from the caption`,
      reconstruction,
      (s) => `${s.fromCodes.toFixed(3)}, caption ${s.fromCaption.toFixed(3)}`,
      (s) => s.fromCodes >= s.fromCaption - CAPTION_MARGIN,
    ),
  ];
}

/** The bars of a language model that sees and draws, read off the JSON of `seedling eval language`. */
export function languageBars(scores) {
  const captions = scores["captions test"];
  const questions = scores["questions test"];
  const drawings = scores["drawings test"];
  const wellFormed = scores.spans?.wellFormed;
  const once = captions.once ? `${captions.once.objectF1.toFixed(3)} in one go, ` : "";
  const ahead = questions.seeing - questions.questionOnly;
  const kept = (100 * drawings.drawn) / Math.max(drawings.realCodes, 1e-9);
  const one = (x) => x.toFixed(1);
  return [
    {
      key: "captions",
      short: `objects named in captions, the best of ${scores.describing?.bestOf ?? 16}, object F1`,
      bar: "0.75",
      got: `${captions.objectF1.toFixed(3)} (${once}${captions.ofOthers.objectF1.toFixed(3)} for what it says of another picture)`,
      reached: captions.objectF1 >= 0.75,
    },
    {
      key: "questions",
      short: "questions answered right, with the picture / without",
      bar: "20 points apart",
      got: `${one(questions.seeing)} / ${one(questions.questionOnly)} %`,
      reached: ahead >= 20,
    },
    {
      key: "drawings",
      short: "objects of a prompt found in the drawing, beside pictures of real codes",
      bar: "85 % of these",
      got: `${one(drawings.drawn)} / ${one(drawings.realCodes)} %, which is ${one(kept)} %`,
      reached: kept >= 85,
    },
    {
      key: "spans",
      short: "drawings that are well formed without a rule",
      bar: "99.9 %",
      got: wellFormed === undefined ? "not measured" : `${wellFormed.toFixed(2)} %`,
      reached: wellFormed === undefined ? undefined : wellFormed >= 99.9,
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
