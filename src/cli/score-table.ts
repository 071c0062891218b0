/** The scores of `seedling eval` for people: a heading for each section, and a table of what was compared below it. */
import { type Cell, formatTable } from "./table.ts";

type Scores = Readonly<Record<string, unknown>>;

/** Names that are shorter, or better known, than the keys of the JSON. */
const NAMES: Readonly<Record<string, string>> = {
  imageToText: "i>t",
  textToImage: "t>i",
  r1: "R@1",
  r5: "R@5",
  r10: "R@10",
  embeddingsR1: "i>t R@1 by embeddings, %",
  codesR1: "by codes, %",
  codesKept: "codes that stay, %",
  jpeg30: "JPEG, quality 30",
  shift2: "moved by 2 px",
  scale90: "at 90 % of its size",
  crop90: "the middle 90 %",
  texture: "1/f texture behind",
  keptPercent: "kept by the codes, %",
  objectF1: "object F1",
  entropyBits: "mean entropy of a code, bits",
  loadMs: "opening the model, ms",
  firstMs: "then until the first codes, ms",
  latencyMs: "one picture, ms",
  firstMemoryMb: "memory at the first codes, MB",
  peakMemoryMb: "peak memory, MB",
};

/** Sections are the members that are objects; single values come first. */
export function formatScores(scores: Scores): string[] {
  const single = Object.entries(scores).filter(([, value]) => !isObject(value));
  const sections = Object.entries(scores).filter(([, value]) => isObject(value)) as [string, Scores][];
  return [
    ...formatTable(single.map(([name, value]) => [nameOf(name), shown(value)])),
    ...sections.flatMap(([name, section]) => ["", name, ...formatSection(section)]),
  ];
}

/** Single values first; then what has the same values, as the rows of a table. */
function formatSection(section: Scores): string[] {
  const singles: Cell[][] = [];
  const tables = new Map<string, { readonly header: string[]; readonly rows: [string, Leaf[]][] }>();
  for (const [name, value] of Object.entries(section)) {
    if (!isObject(value)) {
      if (shown(value) !== "") singles.push([nameOf(name), shown(value)]);
      continue;
    }
    for (const [row, members] of rowsOf(nameOf(name), value)) {
      const leaves = leavesOf(members);
      const header = leaves.map(([path]) => path);
      const table = tables.get(header.join()) ?? { header, rows: [] };
      tables.set(header.join(), table);
      table.rows.push([row, leaves.map(([, leaf]) => leaf)]);
    }
  }
  const wide: string[] = [];
  for (const { header, rows } of tables.values()) {
    const columns = header.map((_, i) => leafColumn(rows.map(([, values]) => values[i] ?? 0)));
    if (rows.length > 1)
      wide.push(
        ...formatTable([["", ...header], ...rows.map(([name], r) => [name, ...columns.map((c) => c[r] ?? "")])], "  "),
      );
    else for (const [i, path] of header.entries()) singles.push([`${rows[0]?.[0]} ${path}`, columns[i]?.[0] ?? ""]);
  }
  return [...formatTable(singles, "  "), ...wide];
}

/** Rows of a table: the members of `value` if all of them are objects, such as kinds of questions; else `value` itself. */
function rowsOf(name: string, value: Scores): [string, Scores][] {
  const members = Object.entries(value);
  const nested = members.length > 0 && members.every(([, member]) => isObject(member));
  return nested ? members.map(([member, scores]) => [nameOf(member), scores as Scores]) : [[name, value]];
}

/** A mean and where it is with 95 % certainty; NaN where there was nothing to measure. */
interface Interval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}
type Leaf = number | Interval;

/** [path, leaf] of all leaves below; lists, such as examples, are for the JSON only. */
function leavesOf(value: Scores, before = ""): [string, Leaf][] {
  return Object.entries(value).flatMap(([name, leaf]): [string, Leaf][] => {
    const path = `${before}${nameOf(name)}`;
    if (isObject(leaf)) return leavesOf(leaf, `${path} `);
    return typeof leaf === "number" || isInterval(leaf) ? [[path, leaf]] : [];
  });
}

function isInterval(value: unknown): value is Interval {
  return typeof value === "object" && value !== null && Object.keys(value).join() === "mean,low,high";
}

function isObject(value: unknown): value is Scores {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !isInterval(value);
}

/** "fromShuffledCodes" -> "from shuffled codes". */
function nameOf(key: string): string {
  return NAMES[key] ?? key.replace(/(?<=[a-z\d])[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

/** A number, the mean of a list of numbers, a text; nothing for the rest. */
function shown(value: unknown): string {
  if (typeof value === "string") return value;
  const numbers = (Array.isArray(value) ? value : [value]).filter((x) => typeof x === "number");
  if (numbers.length === 0) return "";
  return column([numbers.reduce((a, b) => a + b, 0) / numbers.length])[0] ?? "";
}

/** "94.8 (93.1 to 96.0)" for intervals, "-" for what could not be measured. */
function leafColumn(leaves: readonly Leaf[]): string[] {
  const numbers = leaves.flatMap((leaf) => (isInterval(leaf) ? [leaf.mean, leaf.low, leaf.high] : [leaf]));
  const texts = column(numbers);
  let at = 0;
  return leaves.map((leaf) => {
    if (!isInterval(leaf)) return texts[at++] ?? "";
    const [mean, low, high] = texts.slice(at, at + 3);
    at += 3;
    return Number.isNaN(leaf.mean) ? "-" : `${mean} (${low} to ${high})`;
  });
}

/** Numbers of one kind with equally many digits: counts, shares from 0 to 1, percentages and the like. */
function column(values: readonly number[]): string[] {
  const known = values.filter((value) => !Number.isNaN(value));
  const most = Math.max(...known.map(Math.abs));
  const digits = known.every(Number.isInteger) ? 0 : most >= 1000 ? 0 : most > 1 ? 1 : 3;
  return values.map((value) => value.toFixed(digits));
}
