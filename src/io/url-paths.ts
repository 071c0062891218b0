/** Joining and splitting paths that may be URLs: `https://host/a`, `/a`, `a`. */

/** "https://host/" or "/" or "", and what follows. */
function split(path: string): [root: string, rest: string] {
  const [root = ""] = /^([a-z][a-z\d+.-]*:\/\/[^/]*|(?=\/))\/*/i.exec(path) ?? [];
  return [root, path.slice(root.length)];
}

/** One path from several parts, without "." and ".." where they can be resolved; "." for nothing. */
export function join(...parts: readonly string[]): string {
  const [root, rest] = split(parts.filter((part) => part !== "").join("/"));
  const names: string[] = [];
  for (const name of rest.split("/")) {
    if (name === "" || name === ".") continue;
    if (name !== "..") names.push(name);
    else if (names.length > 0 && names.at(-1) !== "..") names.pop();
    else if (root === "") names.push(name);
  }
  const start = root === "" ? "" : root.startsWith("/") ? "/" : `${root.replace(/\/+$/, "")}/`;
  return start + names.join("/") || ".";
}

/** The folder that a path is in. */
export function dirname(path: string): string {
  return join(path, "..") === ".." ? "." : join(path, "..");
}

/** The last part of a path. */
export function basename(path: string): string {
  const [, rest] = split(path);
  return rest.replace(/\/+$/, "").split("/").at(-1) ?? "";
}
