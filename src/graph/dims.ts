/**
 * Dims: a number, or a symbol that is known only when the graph runs.
 *
 * A symbolic dim is a product such as "B", "32*B" or "B*T", kept in one canonical spelling so that equal dims are
 * equal strings. A sum of different symbols becomes one opaque symbol in parentheses, "(S+2*T)".
 */
export type Dim = number | string;
export type Shape = readonly Dim[];

interface Product {
  readonly factor: number;
  readonly symbols: readonly string[];
}

function parse(dim: Dim): Product {
  if (typeof dim === "number") return { factor: dim, symbols: [] };
  const parts = splitOutside(dim, "*");
  const factor = Number(parts[0]);
  return Number.isInteger(factor) ? { factor, symbols: parts.slice(1) } : { factor: 1, symbols: parts };
}

/** Splits at `operators` outside parentheses. */
function splitOutside(text: string, operators: string): string[] {
  const parts = [""];
  let depth = 0;
  for (const character of text) {
    if (character === "(") depth++;
    if (character === ")") depth--;
    if (depth === 0 && operators.includes(character)) parts.push("");
    else parts[parts.length - 1] += character;
  }
  return parts;
}

function print({ factor, symbols }: Product): Dim {
  if (symbols.length === 0 || factor === 0) return factor;
  const product = [...symbols].sort().join("*");
  return factor === 1 ? product : `${factor}*${product}`;
}

export function mulDims(a: Dim, b: Dim): Dim {
  const [p, q] = [parse(a), parse(b)];
  return print({ factor: p.factor * q.factor, symbols: [...p.symbols, ...q.symbols] });
}

/** a / b, or undefined if b does not divide a. */
export function divDims(a: Dim, b: Dim): Dim | undefined {
  const [p, q] = [parse(a), parse(b)];
  if (q.factor === 0 || p.factor % q.factor !== 0) return undefined;
  const symbols = [...p.symbols];
  for (const symbol of q.symbols) {
    const at = symbols.indexOf(symbol);
    if (at < 0) return undefined;
    symbols.splice(at, 1);
  }
  return print({ factor: p.factor / q.factor, symbols });
}

export function addDims(a: Dim, b: Dim): Dim {
  const [p, q] = [parse(a), parse(b)];
  if (p.symbols.join() === q.symbols.join()) return print({ ...p, factor: p.factor + q.factor });
  if (a === 0) return b;
  if (b === 0) return a;
  return typeof b === "number" && b < 0 ? `(${a}-${-b})` : `(${a}+${b})`;
}

/** The symbols that a dim is a product of; a sum counts as one. */
export function symbolsOf(dim: Dim): readonly string[] {
  return parse(dim).symbols;
}

/** Arithmetic on the values of dims. */
export interface DimMath<T> {
  readonly number: (value: number) => T;
  /** Undefined if the symbol is not known; a sum that is not known as a whole is computed from its parts. */
  readonly symbol: (name: string) => T | undefined;
  readonly combine: (operator: "*" | "+" | "-", a: T, b: T) => T;
}

/** The value of a dim, or undefined if it holds a symbol that is not known. */
export function computeDim<T>(dim: Dim, math: DimMath<T>): T | undefined {
  const { factor, symbols } = parse(dim);
  let product = symbols.length === 0 || factor !== 1 ? math.number(factor) : undefined;
  for (const symbol of symbols) {
    const value = math.symbol(symbol) ?? computeSum(symbol, math);
    if (value === undefined) return undefined;
    product = product === undefined ? value : math.combine("*", product, value);
  }
  return product;
}

/** Value of "(a+b)" or "(a-b)". */
function computeSum<T>(symbol: string, math: DimMath<T>): T | undefined {
  if (!symbol.startsWith("(")) return undefined;
  const body = symbol.slice(1, -1);
  const [left, right] = splitOutside(body, "+-") as [string, string];
  const [a, b] = [computeDim(left, math), computeDim(right, math)];
  if (a === undefined || b === undefined) return undefined;
  return math.combine(body[left.length] as "+" | "-", a, b);
}

/** The value of a dim as a number, or undefined if it holds a symbol that is not known. */
export function resolveDim(dim: Dim, known: Readonly<Record<string, number>>): number | undefined {
  return computeDim<number>(dim, {
    number: (value) => value,
    symbol: (name) => known[name],
    combine: (operator, a, b) => (operator === "*" ? a * b : operator === "+" ? a + b : a - b),
  });
}

/** Number of elements, a product of all dims. */
export function sizeOf(shape: Shape): Dim {
  return shape.reduce(mulDims, 1);
}

export function isStatic(shape: Shape): shape is readonly number[] {
  return shape.every((dim) => typeof dim === "number");
}

/** Number of elements of a shape without symbols. */
export function staticSize(shape: Shape): number {
  const size = sizeOf(shape);
  if (typeof size !== "number") throw new Error(`expected a shape without symbols, got ${printShape(shape)}`);
  return size;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, i) => dim === b[i]);
}

/** NumPy broadcasting; undefined if the shapes do not fit. */
export function broadcast(a: Shape, b: Shape): Shape | undefined {
  const rank = Math.max(a.length, b.length);
  const out: Dim[] = [];
  for (let i = 0; i < rank; i++) {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    if (x !== y && x !== 1 && y !== 1) return undefined;
    out.push(x === 1 ? y : x);
  }
  return out;
}

export function printShape(shape: Shape): string {
  return `[${shape.join(",")}]`;
}

/** Axis counted from the front; negative axes count from the back. */
export function normalAxis(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}
