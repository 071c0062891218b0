/** An imported SEED and a Stable Diffusion, as one model that paints. */
import { OfficialSeed } from "../official-seed.ts";
import type { LoadOptions } from "../seed-tokenizer.ts";
import { type SamplerName, StableDiffusion } from "../stable-diffusion.ts";
import type { Painter } from "./options.ts";

export async function openOfficialPainter(
  seedFolder: string,
  { diffusion: diffusers, ...sampler }: { readonly diffusion: string; readonly scheduler?: SamplerName },
  load: LoadOptions,
): Promise<Painter> {
  const seed = await OfficialSeed.fromPretrained(seedFolder, load);
  const diffusion = await StableDiffusion.fromPretrained(diffusers, load);
  return {
    codebookSize: seed.codebookSize,
    prepare: (source, options) => seed.prepare(source, options),
    encode: (images, options) => seed.encode(images, options),
    decode: async (codes, options = {}) =>
      diffusion.paint(await seed.generationEmbeddings(codes, { ...options, head: diffusion.paintsFrom }), {
        ...options,
        ...sampler,
      }),
    close: async () => {
      await Promise.all([seed.close(), diffusion.close()]);
    },
  };
}
