/** Text from files and from the errors of other libraries, made safe for a one-line message. */

/** `text` in double quotes on one line, cut after `max` characters. */
export function quote(text: string, max = 80): string {
  const cut = text.length > max ? `${text.slice(0, max)}...` : text;
  return JSON.stringify(cut).replaceAll("\u2028", "\\u2028").replaceAll("\u2029", "\\u2029");
}

/** The first line of an error's message, without a final period, at most `max` characters. */
export function reason(error: unknown, max = 160): string {
  const text = error instanceof Error ? error.message : String(error);
  const line = (text.trim().split(/[\r\n\u2028\u2029]/, 1)[0] ?? "").replace(/\.$/, "");
  return line.length > max ? `${line.slice(0, max)}...` : line;
}

/** Describes a value of unknown type in a few words; never calls the value's own methods. */
export function show(value: unknown, max = 20): string {
  if (typeof value === "string") return quote(value, max);
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object" && value !== null) return "an object";
  return String(value);
}
