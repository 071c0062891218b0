// The sample pictures of the page with their codes by a model: which pictures share a code is shown when one points at it.
//
//   node scripts/make-gallery.mjs [model folder]     writes web/public/gallery/NAME.json; default models/seedling-mini
//
// Needs the icon sets (npm run icons) and a build (npm run build). Run it again when a model's codebook changes, then
// npm run page.
import { mkdirSync, writeFileSync } from "node:fs";
import { basename, resolve } from "node:path";
import sharp from "sharp";
import { createSceneSource, everydayNouns, openAtlas } from "../dist/data/index.js";
import { SeedTokenizer } from "../dist/index.js";

const [COUNT, FIRST_SEED, SIDE, BATCH] = [400, 200_000, 48, 16];

const folder = resolve(process.argv[2] ?? "models/seedling-mini");
const scenes = createSceneSource(await openAtlas(), {
  split: "test",
  size: 256,
  nouns: everydayNouns(48),
  questions: false,
});
const tokenizer = await SeedTokenizer.fromPretrained(folder);
const pictures = [];
for (let start = 0; start < COUNT; start += BATCH) {
  const drawn = Array.from({ length: Math.min(BATCH, COUNT - start) }, (_, i) => scenes.scene(FIRST_SEED + start + i));
  const images = drawn.map(({ pixels, size }) => ({ width: size, height: size, data: pixels }));
  const encoded = await tokenizer.encode(images, { batch: BATCH });
  for (const [i, { caption, pixels, size }] of drawn.entries()) {
    const image = sharp(pixels, { raw: { width: size, height: size, channels: 3 } }).resize(SIDE, SIDE);
    const webp = await image.webp({ quality: 70 }).toBuffer();
    pictures.push({
      url: `data:image/webp;base64,${webp.toString("base64")}`,
      caption,
      codes: [...encoded[i].codes],
    });
  }
}
const out = new URL(`../web/public/gallery/${basename(folder)}.json`, import.meta.url);
mkdirSync(new URL(".", out), { recursive: true });
writeFileSync(out, `${JSON.stringify({ codebook: tokenizer.codebookHash, pictures })}\n`);
await tokenizer.close();
console.log(`${pictures.length} pictures in ${out.pathname}`);
