/** Tables as text: comma or tab separated values with quoted fields (RFC 4180). */

export interface DelimitedRow {
  readonly fields: readonly string[];
  /** Of its first character, counted from 1. */
  readonly line: number;
}

export interface DelimitedTable {
  /** Empty lines are left out. */
  readonly rows: DelimitedRow[];
  /** Where a quote opens that is never closed: all that follows is in one field. */
  readonly openQuote?: number;
}

export function parseDelimited(text: string, separator: "," | "\t"): DelimitedTable {
  const rows: DelimitedRow[] = [];
  let fields: string[] = [];
  let field = "";
  let openQuote: number | undefined;
  let [line, firstLine] = [1, 1];
  const endRow = () => {
    fields.push(field);
    if (fields.length > 1 || field.trim() !== "") rows.push({ fields, line: firstLine });
    fields = [];
    field = "";
  };
  for (let i = 0; i < text.length; i++) {
    const c = text.charAt(i);
    if (c === "\n") line++;
    if (openQuote !== undefined) {
      if (c !== '"') field += c;
      else if (text[i + 1] === '"') {
        field += '"';
        i++;
      } else openQuote = undefined;
    } else if (c === '"' && field === "") openQuote = line;
    else if (c === separator) {
      fields.push(field);
      field = "";
    } else if (c === "\n") {
      endRow();
      firstLine = line;
    } else if (c !== "\r" || text[i + 1] !== "\n") field += c;
  }
  endRow();
  return { rows, openQuote };
}
