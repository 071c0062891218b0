/** Text from files and other people's errors, made safe to stand inside a one-line message. */

/** `text` in double quotes on one line, cut after `max` characters. */
export function quote(text: string, max = 80): string {
  const cut = text.length > max ? `${text.slice(0, max)}...` : text;
  return JSON.stringify(cut).replaceAll("\u2028", "\\u2028").replaceAll("\u2029", "\\u2029");
}

/** The first line of what `error` says, without a closing full stop, at most `max` characters. */
export function reason(error: unknown, max = 160): string {
  const text = error instanceof Error ? error.message : String(error);
  const line = text.trim().split(/[\r\n\u2028\u2029]/, 1)[0] ?? "";
  return (line.length > max ? `${line.slice(0, max)}...` : line).replace(/\.$/, "");
}
