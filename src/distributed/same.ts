/** Ranks that would not compute the same are refused before they train, and found while they do. */
import { hostname } from "node:os";
import { InputError } from "../base/errors.ts";
import { type Communicator, gatherTexts } from "./communicator.ts";

/**
 * @param where what is compared, for the message
 * @param now name of each part ("recipe", "weights of clip") -> its hash
 * @throws InputError on every rank, naming the first rank and the first part that differ from rank 0
 */
export async function expectSameOnRanks(
  ranks: Communicator,
  where: string,
  now: Readonly<Record<string, string>>,
): Promise<void> {
  if (ranks.size === 1) return;
  const texts = await gatherTexts(ranks, JSON.stringify({ host: hostname(), now }));
  const all = texts.map((text) => JSON.parse(text) as { readonly host: string; readonly now: typeof now });
  const first = all[0]?.now ?? {};
  for (const [rank, { host, now: other }] of all.entries()) {
    const names = [...new Set([...Object.keys(first), ...Object.keys(other)])];
    const differing = names.find((name) => first[name] !== other[name]);
    if (differing === undefined) continue;
    throw new InputError(
      `${where}: expected the same ${differing} on all ranks, got another on rank ${rank} (${host}). Give all ranks the same files and the same version, in a folder that they share.`,
    );
  }
}
