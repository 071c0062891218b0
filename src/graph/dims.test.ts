import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  addDims,
  broadcast,
  type Dim,
  divDims,
  mulDims,
  normalAxis,
  printShape,
  resolveDim,
  sizeOf,
  staticSize,
} from "./dims.ts";

const SYMBOLS = ["B", "S", "T"] as const;

/** Dims that products and sums can make. */
const dim: fc.Arbitrary<Dim> = fc.letrec<{ dim: Dim }>((tie) => ({
  dim: fc.oneof(
    { maxDepth: 3 },
    fc.integer({ min: 1, max: 12 }),
    fc.constantFrom(...SYMBOLS),
    fc.tuple(tie("dim"), tie("dim")).map(([a, b]) => mulDims(a, b)),
    fc.tuple(tie("dim"), tie("dim")).map(([a, b]) => addDims(a, b)),
    fc.tuple(tie("dim"), fc.integer({ min: 1, max: 5 })).map(([a, b]) => (typeof a === "number" ? a : addDims(a, -b))),
  ),
})).dim;
/** Large enough that no difference is negative. */
const value = fc.integer({ min: 50, max: 99 });
const values = fc.record({ B: value, S: value, T: value });

describe("products", () => {
  it.each<[Dim, Dim, Dim]>([
    [2, 3, 6],
    ["B", 1, "B"],
    [1, "B", "B"],
    ["B", 32, "32*B"],
    ["2*T", "3*B", "6*B*T"],
    ["B", "B", "B*B"],
    ["B", 0, 0],
    ["(S+2*T)", 2, "2*(S+2*T)"],
  ])("%s times %s is %s", (a, b, product) => expect(mulDims(a, b)).toBe(product));

  it.each<[Dim, Dim, Dim | undefined]>([
    [6, 3, 2],
    [7, 3, undefined],
    ["6*B*T", "2*B", "3*T"],
    ["B", "B", 1],
    ["B*B", "B", "B"],
    ["B", 2, undefined],
    [4, "B", undefined],
    ["B", 0, undefined],
    ["2*(S+2*T)", "(S+2*T)", 2],
  ])("%s by %s is %s", (a, b, quotient) => expect(divDims(a, b)).toBe(quotient));

  it("do not depend on the order of factors", () => {
    fc.assert(
      fc.property(dim, dim, dim, (a, b, c) => {
        expect(mulDims(a, b)).toBe(mulDims(b, a));
        expect(mulDims(mulDims(a, b), c)).toBe(mulDims(a, mulDims(b, c)));
      }),
    );
  });
  it("are undone by division", () => {
    fc.assert(
      fc.property(dim, dim, (a, b) => {
        expect(divDims(mulDims(a, b), b)).toBe(a);
      }),
    );
  });
});

describe("sums", () => {
  it.each<[Dim, Dim, Dim]>([
    [2, 3, 5],
    ["S", 0, "S"],
    [0, "S", "S"],
    ["S", "T", "(S+T)"],
    ["S", -1, "(S-1)"],
    ["B", "B", "2*B"],
    ["2*B", "3*B", "5*B"],
    ["32*B", 1, "(32*B+1)"],
    ["(S+T)", "T", "((S+T)+T)"],
  ])("%s and %s is %s", (a, b, sum) => expect(addDims(a, b)).toBe(sum));
});

describe("resolveDim", () => {
  it("computes what products and sums stand for", () => {
    fc.assert(
      fc.property(dim, dim, values, (a, b, known) => {
        const [x, y] = [resolveDim(a, known)!, resolveDim(b, known)!];
        expect(resolveDim(mulDims(a, b), known)).toBe(x * y);
        expect(resolveDim(addDims(a, b), known)).toBe(x + y);
        expect(resolveDim(addDims(a, -3), known)).toBe(x - 3);
      }),
    );
  });
  it("is undefined for a symbol that is not known", () => {
    expect(resolveDim("2*B", { T: 1 })).toBeUndefined();
    expect(resolveDim("(B+T)", { T: 1 })).toBeUndefined();
  });
  it("takes a sum that is known as a whole", () => expect(resolveDim("2*(B+T)", { "(B+T)": 5 })).toBe(10));
});

describe("shapes", () => {
  it("have a size", () => {
    expect(sizeOf([])).toBe(1);
    expect(sizeOf(["B", 32, 3, "T"])).toBe("96*B*T");
    expect(staticSize([2, 3])).toBe(6);
    expect(() => staticSize(["B", 3])).toThrow("expected a shape without symbols, got [B,3]");
  });
  it.each<[Dim[], Dim[], Dim[] | undefined]>([
    [[2, 3], [3], [2, 3]],
    [
      ["B", 1],
      [1, "T"],
      ["B", "T"],
    ],
    [
      ["B", 3],
      ["B", 3],
      ["B", 3],
    ],
    [["B"], ["T"], undefined],
    [["B"], [2], undefined],
    [[2], [3], undefined],
    [[], [2, "B"], [2, "B"]],
    [
      [1, 2],
      [4, 1, 1],
      [4, 1, 2],
    ],
  ])("%j and %j broadcast to %j", (a, b, both) => expect(broadcast(a, b)).toEqual(both));
  it("broadcast alike from both sides", () => {
    const shape = fc.array(fc.oneof(fc.constantFrom<Dim>(1, 1, 2, 3, "B"), dim), { maxLength: 4 });
    fc.assert(
      fc.property(shape, shape, (a, b) => {
        expect(broadcast(a, b)).toEqual(broadcast(b, a));
        expect(broadcast(a, a)).toEqual(a);
      }),
    );
  });
  it("print", () => expect(printShape(["32*B", 3])).toBe("[32*B,3]"));
  it("count axes from both ends", () => expect([normalAxis(1, 3), normalAxis(-1, 3)]).toEqual([1, 2]));
});
