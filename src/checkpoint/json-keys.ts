/** `JSON.parse` keeps the last of two equal keys without a word; files that name a tensor twice must be refused. */

/** The first key that stands twice in one object of `json`, which must be valid JSON. */
export function duplicateKey(json: string): string | undefined {
  const objects: (Set<string> | undefined)[] = []; // one per open bracket; undefined for an array
  for (let i = 0; i < json.length; i++) {
    const c = json[i];
    if (c === "{") objects.push(new Set());
    else if (c === "[") objects.push(undefined);
    else if (c === "}" || c === "]") objects.pop();
    else if (c === '"') {
      const start = i;
      for (i++; json[i] !== '"'; i++) if (json[i] === "\\") i++;
      let next = i + 1;
      while (" \t\r\n".includes(json[next] ?? "-")) next++;
      if (json[next] !== ":") continue;
      const key = JSON.parse(json.slice(start, i + 1)) as string;
      const keys = objects.at(-1);
      if (keys?.has(key)) return key;
      keys?.add(key);
    }
  }
}
