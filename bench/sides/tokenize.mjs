/** Our side of the full-size comparison. See bench/full-size.mjs for the requests. */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { Rng } from "../../dist/base/rng.js";
import { blankImage } from "../../dist/image/index.js";
import { SeedTokenizer } from "../../dist/image-tokenizer/seed-tokenizer.js";
import { serve } from "../lib/side.mjs";

const rng = new Rng(3);
const noise = () => {
  const image = blankImage(224, 224);
  for (let i = 0; i < image.data.length; i++) image.data[i] = rng.int(256);
  return image;
};
let seed;
let images;
let bytes;

/** Mapped files of this process in memory, or 0 where the system does not count them. */
function mappedBytes() {
  const line = /^RssFile:\s+(\d+) kB/m.exec(readFileSync("/proc/self/status", "utf8"));
  return 1024 * Number(line?.[1] ?? 0);
}

await serve({
  async load({ folder, threads, batch }) {
    images = Array.from({ length: batch }, noise);
    seed = await SeedTokenizer.fromPretrained(folder, { threads });
    await seed.encode(images, { batch });
    const ms = performance.now();
    bytes = statSync(join(folder, "model.safetensors")).size;
    return { ms, bytes };
  },
  async time({ count }) {
    const ms = [];
    for (let i = 0; i < count; i++) {
      const start = performance.now();
      await seed.encode(images, { batch: images.length });
      ms.push(performance.now() - start);
    }
    return { ms };
  },
  /** Mapped weights are memory too; `unseen` is what of them the peak leaves out. */
  memory: () => ({
    peak: process.resourceUsage().maxRSS / 1024,
    unseen: mappedBytes() < bytes / 2 ? bytes / 2 ** 20 : 0,
  }),
});
