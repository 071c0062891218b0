import { everydayNouns, nounTable } from "../../data/index.ts";

/** The nouns of a score as a recipe names them: the first n everyday nouns, or 0 for the full table. */
export function nounList(n: number): string[] {
  return n === 0 ? [...nounTable().keys()] : everydayNouns(n);
}
