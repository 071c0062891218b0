/** What the papers report, to be shown next to our figures. Only figures read in the paper, or in one that quotes it. */

/** arXiv 2307.08041, and the rows of its tables for other models. */
const SEED = "SEED (arXiv 2307.08041)";
const SEED_CODES = "SEED causal codes (arXiv 2307.08041)";
const BLIP2 = "BLIP-2 (same table)";
const SD = "Stable Diffusion (same table)";
const LLAMA = "SEED-LLaMA-I 8B (quoted by MIO)";

type Figures = Readonly<Record<string, number>>;

function recalls(paper: string, six: readonly number[], mean: number): Record<string, Figures> {
  const names = ["i2t R@1", "i2t R@5", "i2t R@10", "t2i R@1", "t2i R@5", "t2i R@10"];
  const all = [...names.map((name, i) => [name, six[i] ?? Number.NaN] as const), ["R@mean", mean] as const];
  return Object.fromEntries(all.map(([name, value]) => [name, { [paper]: value }]));
}

function both(a: Record<string, Figures>, b: Record<string, Figures>): Record<string, Figures> {
  return Object.fromEntries(Object.entries(a).map(([name, figures]) => [name, { ...figures, ...b[name] }]));
}

/** section -> row -> metric -> paper -> figure, in percent. */
export const PUBLISHED: Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, Figures>>>>>> = {
  "retrieval flickr": {
    embeddings: both(
      recalls(SEED, [90.0, 99.6, 99.9, 80.0, 95.3, 97.6], 93.7),
      recalls(BLIP2, [81.9, 98.4, 99.7, 82.4, 96.5, 98.4], 92.9),
    ),
    codes: recalls(SEED_CODES, [86.3, 98.6, 99.5, 75.9, 93.2, 96.7], 91.7),
    "codes keep": { "R@mean": { [SEED]: 97.9 } },
  },
  "retrieval coco": {
    embeddings: both(
      recalls(SEED, [71.9, 91.1, 95.9, 56.7, 80.7, 87.7], 80.7),
      recalls(BLIP2, [65.3, 89.9, 95.3, 59.1, 82.7, 89.4], 80.3),
    ),
    codes: recalls(SEED_CODES, [65.7, 88.1, 93.8, 52.5, 78.0, 86.0], 77.4),
    "codes keep": { "R@mean": { [SEED]: 95.9 } },
  },
  "pictures coco": {
    "from codes": { "CLIP similarity": { [SEED]: 68.23 } },
    "from captions": { "CLIP similarity": { [SD]: 68.43, "GILL (same table)": 67.45 } },
  },
  "pictures flickr": {
    "from codes": { "CLIP similarity": { [SEED]: 65.22 } },
    "from captions": { "CLIP similarity": { [SD]: 65.4, "GILL (same table)": 65.16 } },
  },
  "captions coco": {
    overall: {
      "BLEU-4": { [SEED]: 34.6, [BLIP2]: 39.7 },
      METEOR: { [SEED]: 28.4, [BLIP2]: 28.9 },
      "ROUGE-L": { [SEED]: 56.4, [BLIP2]: 59.3 },
      "CIDEr-D": { [SEED]: 119.0, [BLIP2]: 131.0, [LLAMA]: 124.5 },
      SPICE: { [SEED]: 22.0, [BLIP2]: 22.9 },
    },
  },
  "captions nocaps": {
    "in-domain": { SPICE: { [SEED]: 12.5, [BLIP2]: 14.4 } },
    "near-domain": { SPICE: { [SEED]: 12.3, [BLIP2]: 13.8 } },
    "out-domain": { SPICE: { [SEED]: 12.2, [BLIP2]: 13.4 } },
    overall: { SPICE: { [SEED]: 12.3, [BLIP2]: 13.8 } },
  },
  "questions vqa": { overall: { accuracy: { [SEED]: 42.8, [BLIP2]: 51.9 } } },
  "questions gqa": { overall: { accuracy: { [SEED]: 28.8, [BLIP2]: 32.6 } } },
};

export function publishedFigures(section: string, row: string, metric: string): Figures | undefined {
  return PUBLISHED[section]?.[row]?.[metric];
}
