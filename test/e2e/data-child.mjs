/** `seedling data` as a process of its own, on the committed sprites: the icon sets need not be installed. */
import { dataCommand } from "../../dist/cli/data.js";
import { loadAtlas } from "../../dist/data/index.js";

const SPRITES = new URL("../fixtures/sprites.bin.br", import.meta.url).pathname;

try {
  await dataCommand(() => loadAtlas(SPRITES)).parseAsync(process.argv.slice(2), { from: "user" });
} catch (error) {
  process.stderr.write(`seedling: ${error.message}\n`);
  process.exitCode = error.exitCode ?? 1;
}
