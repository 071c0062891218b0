/** `seedling train` as a process of its own, on the committed sprites: the icon sets need not be installed. */
import { fileURLToPath } from "node:url";
import { built } from "../built.mjs";

const { trainCommand } = await built("cli/train.js");
const { quietPipes } = await built("cli/output.js");
const { loadAtlas } = await built("data/index.js");
const SPRITES = fileURLToPath(new URL("../fixtures/sprites.bin.br", import.meta.url));

quietPipes();
try {
  await trainCommand(() => loadAtlas(SPRITES)).parseAsync(process.argv.slice(2), { from: "user" });
} catch (error) {
  if (error.message !== "reported") process.stderr.write(`seedling: ${error.message}\n`);
  process.exitCode = error.exitCode ?? 1;
}
