/** Discussions of claims as text: `discussion/<claim>.md` next to the arms. They never contain the verdict. */
import { basename, join } from "node:path";
import { decodeText } from "../../base/decode-text.ts";
import { InputError } from "../../base/errors.ts";
import { exists, readFileBounded } from "../../io/files.ts";
import { listFolder } from "../../io/folder.ts";
import { CLAIMS } from "./claims.ts";

const MAX_BYTES = 1e5;

/** claim -> text. @throws InputError for a file of no claim */
export async function readDiscussions(folder: string): Promise<Record<string, string>> {
  const where = join(folder, "discussion");
  if (!(await exists(where))) return {};
  const texts: Record<string, string> = {};
  for (const name of (await listFolder(where)).filter((one) => one.endsWith(".md"))) {
    const id = basename(name, ".md");
    if (!CLAIMS.some((claim) => claim.id === id))
      throw new InputError(
        `${join(where, name)}: expected one of ${CLAIMS.map((claim) => claim.id).join(", ")}, got ${id}. Rename it.`,
      );
    texts[id] = decodeText(await readFileBounded(join(where, name), MAX_BYTES), join(where, name));
  }
  return texts;
}
