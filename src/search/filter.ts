/** Filters as a predicate, and as SQL. */
import picomatch from "picomatch";
import type { IndexedPicture } from "./picture-index.ts";
import type { Filter } from "./search-index.ts";

/** Undefined if every picture may be found. */
export function acceptBy({ path, since, until }: Filter): ((picture: IndexedPicture) => boolean) | undefined {
  if (path === undefined && since === undefined && until === undefined) return undefined;
  const matches = path === undefined ? () => true : picomatch(path, { dot: true });
  return ({ path: own, changedMs }) =>
    matches(own) && changedMs >= (since ?? Number.NEGATIVE_INFINITY) && changedMs < (until ?? Number.POSITIVE_INFINITY);
}

/**
 * A condition that every accepted picture meets, in LanceDB's SQL, on columns `path` and `changedMs`: that of DataFusion, but a
 * name with capitals needs backticks, as quotes turn it into a string. Its regular expressions cannot look ahead, as globs do to
 * leave out names, so a path that meets it may still have to be left out.
 */
export function conditionOf({ path, since, until }: Filter): string | undefined {
  const parts: string[] = [];
  if (path !== undefined)
    parts.push(`regexp_like(path, ${sqlText(withoutLookahead(picomatch.makeRe(path, { dot: true }).source))})`);
  if (since !== undefined) parts.push(`\`changedMs\` >= ${since}`);
  if (until !== undefined) parts.push(`\`changedMs\` < ${until}`);
  return parts.length === 0 ? undefined : parts.join(" AND ");
}

export const sqlText = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** Removes `(?=...)` and `(?!...)`, with what is nested in them, and escapes that Rust's regular expressions do not have. */
export function withoutLookahead(source: string): string {
  let out = "";
  for (let i = 0; i < source.length; ) {
    if (/^\(\?[=!]/.test(source.slice(i, i + 3))) i = endOfGroup(source, i);
    else if (source[i] === "\\") {
      const [c = ""] = source.slice(i + 1);
      out += /[\w\-.*+?^$|()[\]{}\\]/.test(c) ? `\\${c}` : c;
      i += 2;
    } else out += source[i++];
  }
  return out;
}

/** Index after the parenthesis that closes the one at `start`. */
function endOfGroup(source: string, start: number): number {
  let [depth, inClass] = [0, false];
  for (let i = start; i < source.length; i++) {
    const c = source[i];
    if (c === "\\") i++;
    else if (inClass) inClass = c !== "]";
    else if (c === "[") inClass = true;
    else if (c === "(") depth++;
    else if (c === ")" && --depth === 0) return i + 1;
  }
  return source.length;
}
