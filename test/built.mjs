/** For processes that tests start: a module of the package as `test/build.ts` built it. */
import { pathToFileURL } from "node:url";

/** @param {string} path below dist */
export function built(path) {
  return import(new URL(`dist/${path}`, pathToFileURL(`${process.env.SEEDLING_TEST_BUILD}/`)).href);
}
