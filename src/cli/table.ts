/** Rows for people: columns aligned, numbers to the right. */

export type Cell = string | number;

const NUMBER = /^-?\d[\d.,]*( ?(%|[kMGT]?B|ms|s)| \(-?[\d.]+ to -?[\d.]+\))?$/;

/**
 * Lines of a table: columns two spaces apart, those with numbers aligned to the right, no spaces at the ends of lines.
 * A header is a row like the others.
 */
export function formatTable(rows: readonly (readonly Cell[])[], indent = ""): string[] {
  const texts = rows.map((row) => row.map(String));
  const columns = Math.max(0, ...texts.map((row) => row.length));
  const column = (i: number): string[] => texts.map((row) => row[i] ?? "");
  const widths = Array.from({ length: columns }, (_, i) => Math.max(...column(i).map((text) => text.length)));
  const right = widths.map((_, i) => column(i).some((text) => NUMBER.test(text)));
  return texts.map((row) => {
    const cells = row.map((text, i) => (right[i] ? text.padStart(widths[i] ?? 0) : text.padEnd(widths[i] ?? 0)));
    return `${indent}${cells.join("  ")}`.trimEnd();
  });
}
