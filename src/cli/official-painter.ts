/** An imported SEED and a Stable Diffusion, as one model that paints. */
import { OfficialSeed } from "../official-seed.ts";
import type { LoadOptions } from "../seed-tokenizer.ts";
import { StableDiffusion } from "../stable-diffusion.ts";
import type { Painter } from "./options.ts";

export async function openOfficialPainter(seedFolder: string, diffusers: string, load: LoadOptions): Promise<Painter> {
  const seed = await OfficialSeed.fromPretrained(seedFolder, load);
  const diffusion = await StableDiffusion.open(diffusers, load);
  return {
    codebookSize: seed.codebookSize,
    prepare: (source, options) => seed.prepare(source, options),
    encode: (images, options) => seed.encode(images, options),
    decode: async (codes, options = {}) =>
      diffusion.paint(await seed.generationEmbeddings(codes, { ...options, head: diffusion.paintsFrom }), options),
    close: async () => {
      await Promise.all([seed.close(), diffusion.close()]);
    },
  };
}
