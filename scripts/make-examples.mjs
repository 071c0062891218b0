// Draws the pictures of examples/: scenes of test seeds (never trained on), two in a style that training never shows.
// Needs the icon sets (npm run icons) and a build.
import { writeFileSync } from "node:fs";
import sharp from "sharp";
import { createSceneSource, everydayNouns, openAtlas } from "../dist/data/index.js";

const atlas = await openAtlas();
const common = { size: 256, nouns: everydayNouns(48), questions: false };
const test = createSceneSource(atlas, { ...common, split: "test" });
const style = createSceneSource(atlas, { ...common, split: "held-out-style", styles: ["streamline-emojis"] });

/** @type {[string, typeof test, number][]} */
const pictures = [
  ["balloon-and-pigs.png", test, 100001],
  ["airplane-and-house.webp", test, 100011],
  ["rocket-and-car.jpg", test, 100039],
  ["turtle.png", test, 100012],
  ["penguin-unseen-style.webp", style, 100027],
  ["airplane-unseen-style.jpg", style, 100033],
];

const lines = [];
for (const [name, source, seed] of pictures) {
  const { pixels, caption, size } = source.scene(seed);
  const image = sharp(pixels, { raw: { width: size, height: size, channels: 3 } });
  const ending = name.split(".").pop();
  const encoded =
    ending === "png" ? image.png() : ending === "jpg" ? image.jpeg({ quality: 90 }) : image.webp({ quality: 90 });
  writeFileSync(new URL(`../examples/${name}`, import.meta.url), await encoded.toBuffer());
  lines.push(`| \`${name}\` | ${caption} | ${source.split}, seed ${seed} |`);
}
console.log(lines.join("\n"));
