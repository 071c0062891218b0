/** What is kept out of training, so that generalization can be tested. Fixed by FNV-1a hashes, never random. */

import { hashText } from "../base/rng.ts";

/**
 * - train, validation, test: the same nouns and styles, different seeds
 * - held-out-style: as test, drawn in a style that no training picture shows
 * - held-out-pairs: scenes with a combination (two nouns, noun and count, or noun and color) that training never shows
 * - held-out-concepts: nouns that no training picture shows
 */
export const SPLITS = ["train", "validation", "test", "held-out-style", "held-out-pairs", "held-out-concepts"] as const;
export type Split = (typeof SPLITS)[number];

const SPLIT_SEEDS = 2 ** 28;
const TRAIN_SEEDS = 2 ** 31;

/** Scenes that a split has: seeds 0 to this, exclusive. */
export const seedsOf = (split: Split): number => (split === "train" ? TRAIN_SEEDS : SPLIT_SEEDS);

/** The 32-bit seed behind scene `seed` of a split; no two splits share one. */
export function absoluteSeed(split: Split, seed: number): number {
  return split === "train" ? seed : TRAIN_SEEDS + (SPLITS.indexOf(split) - 1) * SPLIT_SEEDS + seed;
}

const oneInTen = (text: string): boolean => hashText(text) % 10 === 0;

/** One noun in ten is in no training picture. It depends on the word alone, so it holds for every list of nouns. */
export const isHeldOutConcept = (noun: string): boolean => oneInTen(noun);

/** One pair of nouns in ten never shares a training picture. */
export const isHeldOutPair = (a: string, b: string): boolean => oneInTen(a < b ? `${a}|${b}` : `${b}|${a}`);

/** One (noun, count) in ten is in no training picture. */
export const isHeldOutCount = (noun: string, count: number): boolean => oneInTen(`${noun}|${count}`);

/** One (noun, color) in ten; scenes hold it out only where training shows the noun in other colors. */
export const isHeldOutColor = (noun: string, color: string): boolean => oneInTen(`${noun}|${color}`);
