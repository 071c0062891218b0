/** The page as a folder that any static host serves, with the models that it computes in the browser. */
import { copyFile, cp, mkdir } from "node:fs/promises";
import { SetupError } from "../base/errors.ts";
import { writeFileAtomic } from "../io/files.ts";
import { expectFree, writeFolder } from "../io/folder.ts";
import { dirname, join } from "../io/paths.ts";
import { LISTING, listingOf, modelFilesOf } from "./model-files.ts";

/**
 * @param page the built page
 * @param models folders by the names that the page shows, the default first
 * @throws UsageError if `out` holds something; SetupError for a folder that is not a model, or too large for a browser
 */
export async function writeStaticSite(out: string, page: string, models: ReadonlyMap<string, string>): Promise<void> {
  await expectFree(out);
  const found = new Map<string, readonly string[]>();
  for (const [id, folder] of models) {
    const names = await modelFilesOf(folder, true);
    if (!names)
      throw new SetupError(
        `${folder}: expected a model folder of at most 1 GB for the browser, got none. Name another.`,
      );
    found.set(id, names);
  }
  await writeFolder(out, async (site) => {
    await cp(page, site, { recursive: true });
    await writeFileAtomic(join(site, "models.json"), `${JSON.stringify({ models: [...models.keys()] })}\n`);
    for (const [id, folder] of models) {
      const names = found.get(id) ?? [];
      const target = join(site, "models", id);
      for (const name of names) {
        await mkdir(dirname(join(target, name)), { recursive: true });
        await copyFile(join(folder, name), join(target, name));
      }
      await writeFileAtomic(join(target, LISTING), `${JSON.stringify(await listingOf(target, names), null, 1)}\n`);
    }
  });
}
