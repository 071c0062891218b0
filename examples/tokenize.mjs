// Pictures to 32 codes, codes to a picture, and a search by text, with the library.
import { writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { encodePng, SeedTokenizer } from "seedling";

const tokenizer = await SeedTokenizer.fromPretrained(); // the bundled models/seedling-mini
const pictures = ["balloon-and-pigs.png", "turtle.png", "rocket-and-car.jpg"].map((name) =>
  fileURLToPath(new URL(name, import.meta.url)),
);

const encoded = await tokenizer.encode(pictures);
for (const [i, { codes }] of encoded.entries()) console.log(basename(pictures[i]), [...codes].join(" "));

const [decoded] = await tokenizer.decode([encoded[0].codes], { seed: 7 });
await writeFile("decoded.png", await encodePng(decoded));

const [query] = await tokenizer.embedText(["a big turtle"]);
const vectors = await tokenizer.embedCodes(encoded.map((e) => e.codes));
const dot = (a, b) => a.reduce((sum, x, k) => sum + x * b[k], 0);
console.log("nearest to “a big turtle”:", vectors.map((v) => dot(v, query).toFixed(2)).join(" "));

await tokenizer.close();
