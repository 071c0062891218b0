/**
 * `GET /models.json` and `/models/NAME/...`: model folders, for a page that computes in the browser. They are files of the
 * page and not part of the API.
 */
import type { OpenAPIHono } from "@hono/zod-openapi";
import { type FolderListing, LISTING, listingOf, modelFilesOf } from "./model-files.ts";
import { staticFiles } from "./static-files.ts";

/** @param indexed how many pictures can be searched; undefined without an index */
export function modelFilesRoutes(app: OpenAPIHono, folders: ReadonlyMap<string, string>, indexed?: number): void {
  const names = new Map([...folders].map(([id, folder]) => [id, once(() => modelFilesOf(folder, false))]));
  app.get("/models.json", async (c) => {
    const offered: string[] = [];
    for (const [id, files] of names) if (await files()) offered.push(id);
    return c.json({ models: offered, indexed }, 200, { "cache-control": "no-cache" });
  });
  for (const [id, folder] of folders) {
    const below = `/models/${id}`;
    const files = names.get(id);
    const listing = once(async (): Promise<FolderListing | undefined> => {
      const found = await files?.();
      return found && listingOf(folder, found);
    });
    const send = staticFiles(folder, below);
    app.get(`${below}/*`, async (c) => {
      const name = c.req.path.slice(below.length + 1);
      if (name === LISTING) {
        const found = await listing();
        return found ? c.json(found, 200, { "cache-control": "no-cache" }) : c.notFound();
      }
      return (await files?.())?.includes(name) ? send(c) : c.notFound();
    });
  }
}

/** Computes a value when it is first needed, and keeps it; a failure is not kept. */
function once<T>(compute: () => Promise<T>): () => Promise<T> {
  let known: Promise<T> | undefined;
  return () => {
    known ??= compute().catch((error) => {
      known = undefined;
      throw error;
    });
    return known;
  };
}
