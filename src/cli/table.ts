/** Rows for people: columns aligned, numbers to the right. */

export type Cell = string | number;

/** Lines of a table: columns two spaces apart, those of numbers aligned to the right, no spaces at the ends of lines. */
export function formatTable(rows: readonly (readonly Cell[])[], indent = ""): string[] {
  const texts = rows.map((row) => row.map(String));
  const widths: number[] = [];
  for (const row of texts) for (const [i, text] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, text.length);
  const right = widths.map((_, i) => rows.some((row) => typeof row[i] === "number"));
  return texts.map((row) => {
    const cells = row.map((text, i) => (right[i] ? text.padStart(widths[i] ?? 0) : text.padEnd(widths[i] ?? 0)));
    return `${indent}${cells.join("  ")}`.trimEnd();
  });
}
