/** The tables of the papers as twins repeat them: which arms, which metrics, and what the papers report of them. */
import type { Arm } from "./arms.ts";

export type TableId = Arm["table"];

export interface ArmRow {
  /** `arm` of the files. */
  readonly id: string;
  readonly label: string;
  /** Where two sets of losses are compared: which one. Default "ours". */
  readonly losses?: Arm["losses"];
  /** A baseline that needs no training of its own and puts the other scores into perspective. */
  readonly floor?: boolean;
  /** metric -> figures of the papers, in words. */
  readonly papers?: Readonly<Record<string, string>>;
}

export interface PaperTable {
  readonly id: TableId;
  readonly title: string;
  /** Where the papers have it, if they do. */
  readonly source?: string;
  readonly sets: readonly string[];
  readonly metrics: readonly string[];
  /** The arm that others are divided by, and in which metric. */
  readonly twin: string;
  readonly ratio: string;
  readonly arms: readonly ArmRow[];
}

const HELD_OUT = ["held-out style", "held-out pairs", "held-out concepts"];

export const TABLES: readonly PaperTable[] = [
  {
    id: "retrieval",
    title: "Retrieval",
    source: "arXiv 2307.08041 table 1",
    sets: ["test, 1,000 candidates", "test, 5,000 candidates", ...HELD_OUT],
    metrics: ["i2t R@1", "i2t R@5", "i2t R@10", "t2i R@1", "t2i R@5", "t2i R@10", "R@mean", "codes in use"],
    twin: "bilateral-embeddings",
    ratio: "R@mean",
    arms: [
      {
        id: "bilateral-embeddings",
        label: "bilateral embeddings (BLIP-2), published losses",
        losses: "published",
        papers: { "R@mean": "92.9 Flickr30K, 80.3 COCO" },
      },
      {
        id: "causal-embeddings",
        label: "causal embeddings, published losses",
        losses: "published",
        papers: { "R@mean": "93.7 Flickr30K, 80.7 COCO" },
      },
      {
        id: "causal-codes",
        label: "causal codes, published losses",
        losses: "published",
        papers: { "R@mean": "91.7 Flickr30K, 77.4 COCO" },
      },
      { id: "bilateral-codes", label: "bilateral codes, published losses", losses: "published" },
      { id: "bilateral-embeddings", label: "bilateral embeddings, our losses" },
      { id: "causal-embeddings", label: "causal embeddings, our losses" },
      { id: "causal-codes", label: "causal codes, our losses" },
      { id: "bilateral-codes", label: "bilateral codes, our losses" },
      { id: "nearest-pixels", label: "caption of the nearest training picture", floor: true },
    ],
  },
  {
    id: "generation",
    title: "Pictures from codes",
    source: "arXiv 2307.08041 table 2",
    sets: ["test", ...HELD_OUT],
    metrics: ["judge similarity", "own similarity", "objects found"],
    twin: "caption",
    ratio: "judge similarity",
    arms: [
      {
        id: "codes-text",
        label: "codes, text head (v1)",
        papers: { "judge similarity": "68.23 COCO, 65.22 Flickr30K (CLIP)" },
      },
      { id: "codes-image", label: "codes, image head (v2)" },
      { id: "codes-ours", label: "codes, ours" },
      {
        id: "caption",
        label: "picture from the caption",
        papers: { "judge similarity": "68.43 COCO, 65.40 Flickr30K (CLIP)" },
      },
      {
        id: "gill",
        label: "hidden states of the language model (GILL)",
        papers: { "judge similarity": "67.45 COCO, 65.16 Flickr30K (CLIP)" },
      },
      { id: "flat", label: "flat picture", floor: true },
      { id: "other-codes", label: "codes of another picture", floor: true },
      { id: "nearest-pixels", label: "nearest training picture", floor: true },
      { id: "original", label: "the original picture", floor: true },
    ],
  },
  {
    id: "understanding",
    title: "Captions and answers",
    source: "arXiv 2307.08041 table 3 and its pilot",
    sets: ["test", ...HELD_OUT],
    metrics: [
      ...["CIDEr-D", "CIDEr-D, 5 beams", "BLEU-4", "METEOR", "ROUGE-L", "object F1"],
      ...["VQA accuracy", "VQA accuracy, 5 beams", "exact match"],
    ],
    twin: "continuous",
    ratio: "CIDEr-D",
    arms: [
      {
        id: "codes",
        label: "causal codes",
        papers: {
          "CIDEr-D": "119.0",
          "BLEU-4": "34.6",
          METEOR: "28.4",
          "ROUGE-L": "56.4",
          "VQA accuracy": "42.8",
          "exact match": "28.8 GQA",
        },
      },
      {
        id: "continuous",
        label: "continuous features, linear layer (BLIP-2)",
        papers: {
          "CIDEr-D": "131.0",
          "BLEU-4": "39.7",
          METEOR: "28.9",
          "ROUGE-L": "59.3",
          "VQA accuracy": "51.9",
          "exact match": "32.6 GQA",
        },
      },
      {
        id: "pixel-codes",
        label: "pixel codes of a VQ autoencoder",
        papers: { "CIDEr-D": "34.0 (pilot; 42.0 for semantic codes)" },
      },
      { id: "blind", label: "no picture", floor: true },
      { id: "nearest-caption", label: "caption of the nearest training picture", floor: true },
      { id: "habit", label: "habit answers", floor: true },
    ],
  },
  {
    id: "causality",
    title: "Causal and bilateral codes in a language model",
    source: "arXiv 2310.01218",
    sets: ["5,000 prompts"],
    metrics: ["whole pictures", "objects found"],
    twin: "bilateral-codes",
    ratio: "whole pictures",
    arms: [
      { id: "causal-codes", label: "causal codes", papers: { "whole pictures": "99.94 (4,997 of 5,000)" } },
      { id: "bilateral-codes", label: "bilateral codes", papers: { "whole pictures": "42.68 (2,134 of 5,000)" } },
    ],
  },
  {
    id: "ablations",
    title: "Ablations",
    sets: ["test, 1,000 candidates"],
    metrics: ["R@mean", "codes in use", "judge similarity", "objects found"],
    twin: "codes-32",
    ratio: "R@mean",
    arms: [
      ...[8, 16, 32, 64].map((n) => ({ id: `codes-${n}`, label: `${n} codes` })),
      ...[512, 1024, 2048, 4096, 8192, 16_384].map((n) => ({
        id: `book-${n}`,
        label: `codebook of ${n.toLocaleString("en")}`,
      })),
      { id: "without-pairs", label: "without changed captions" },
      { id: "without-pair-embedding", label: "stage 1 without the pair's embedding" },
      { id: "without-drafts", label: "without drafts" },
      { id: "without-contrast", label: "codes without contrast" },
      { id: "without-feature", label: "codes without the last embedding's feature" },
      { id: "without-prefixes", label: "codes without nested dropout" },
      { id: "without-tuned-queries", label: "codes on a frozen Causal Q-Former" },
    ],
  },
];
