/** Values of options, as commander parses them. */
import { InvalidArgumentError } from "commander";
import { CODES_PER_IMAGE } from "../codes/index.ts";

/** Parser of a whole number from `min`. */
export function whole(min: number, max = 2 ** 32 - 1): (text: string) => number {
  return (text) => {
    const n = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
    if (n >= min && n <= max) return n;
    throw new InvalidArgumentError(`Expected a whole number from ${min} to ${max}.`);
  };
}

/** Parser of "4,8,16". */
export function keepList(text: string): number[] {
  return [...new Set(text.split(",").map((part) => whole(1, CODES_PER_IMAGE)(part.trim())))];
}

/** Parser of any number. */
export function real(text: string): number {
  const x = text.trim() === "" ? Number.NaN : Number(text);
  if (Number.isFinite(x)) return x;
  throw new InvalidArgumentError("Expected a number.");
}

/** Parser of a number above 0, or from 0, up to `most`. */
export function positive({ zero = false, most = Number.POSITIVE_INFINITY } = {}): (text: string) => number {
  return (text) => {
    const x = real(text);
    if ((zero ? x >= 0 : x > 0) && x <= most) return x;
    const least = zero ? "from 0" : "above 0";
    throw new InvalidArgumentError(
      `Expected a number ${least}${most < Number.POSITIVE_INFINITY ? ` up to ${most}` : ""}.`,
    );
  };
}
