// How many codes stay the same when the weights are rounded: seedling-mini against itself in 8 and 4 bits, over test
// scenes; and how well the codes of the rounded model find their captions. Writes docs/results/quantized.json.
//   node scripts/quantized-agreement.mjs [model folder] [scenes]
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSceneSource, everydayNouns, openAtlas } from "../dist/data/index.js";
import { firstScenes, retrievalScores } from "../dist/evaluation/scores.js";
import { quantizeFolder } from "../dist/image-tokenizer/quantize.js";
import { SeedTokenizer } from "../dist/image-tokenizer/seed-tokenizer.js";

const [folder = "models/seedling-mini", scenes = "1000"] = process.argv.slice(2);
const NOUNS = 48;
/** The layers around the codebook and the heads, which `seedling quantize` leaves in floats, and the tower besides. */
const WITH_TOWER =
  /^(visual_encoder|encode_task_layer|decode_task_layer|vision_proj|text_proj|image_down|distill_\w+_proj)\./;
/** @type {Record<string, import("../dist/image-tokenizer/quantize.js").QuantizeOptions>} */
const VARIANTS = {
  "8 bits a row": { bits: 8 },
  "8 bits a row, the tower in floats": { bits: 8, keep: WITH_TOWER },
  "8 bits in blocks of 32": { bits: 8, block: 32 },
  "4 bits in blocks of 32": { bits: 4, block: 32 },
};

const count = Number(scenes);
const source = createSceneSource(await openAtlas(), { size: 64, nouns: everydayNouns(NOUNS), split: "test" });
const shown = firstScenes(source, count);
const pictures = shown.map(({ pixels, size }) => ({ width: size, height: size, data: pixels }));

async function codesOf(path) {
  const model = await SeedTokenizer.fromPretrained(path);
  try {
    const codes = (await model.encode(pictures)).map((one) => one.codes);
    return { codes, mean: (await retrievalScores(model, shown)).codes.mean };
  } finally {
    await model.close();
  }
}

const work = mkdtempSync(join(tmpdir(), "seedling-rounded-"));
const results = { scenes: count, variants: {} };
try {
  const exact = await codesOf(folder);
  results.recallMean = exact.mean;
  for (const [i, [name, options]] of Object.entries(VARIANTS).entries()) {
    const out = join(work, String(i));
    const { files } = await quantizeFolder(folder, out, options);
    const rounded = await codesOf(out);
    let equal = 0;
    for (const [j, codes] of rounded.codes.entries())
      for (const [k, code] of codes.entries()) if (code === exact.codes[j][k]) equal++;
    const sum = (key) => files.reduce((total, file) => total + file[key], 0);
    results.variants[name] = {
      equalPercent: (100 * equal) / (32 * count),
      recallMean: rounded.mean,
      bytes: sum("bytesAfter"),
      bytesBefore: sum("bytesBefore"),
    };
    console.log(name, results.variants[name]);
    writeFileSync("docs/results/quantized.json", `${JSON.stringify(results, null, 2)}\n`); // stays if the next is stopped
  }
} finally {
  rmSync(work, { recursive: true });
}
