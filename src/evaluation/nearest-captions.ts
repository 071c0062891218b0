/**
 * Captions without a language model: a picture is described by the training caption that is nearest to its codes. A
 * language model has to do better.
 */
import { dot } from "../base/vectors.ts";
import type { Codes } from "../codes/index.ts";
import type { SeedTokenizer } from "../image-tokenizer/seed-tokenizer.ts";

type Tokenizer = Pick<SeedTokenizer, "embedText" | "embedCodes">;

export class NearestCaptions {
  readonly #tokenizer: Tokenizer;
  readonly #captions: readonly string[];
  readonly #vectors: readonly Float32Array[];

  /** Embeds the captions, each once. */
  static async of(tokenizer: Tokenizer, captions: Iterable<string>): Promise<NearestCaptions> {
    const different = [...new Set(captions)];
    return new NearestCaptions(tokenizer, different, await tokenizer.embedText(different, { batch: 64 }));
  }

  private constructor(tokenizer: Tokenizer, captions: readonly string[], vectors: readonly Float32Array[]) {
    this.#tokenizer = tokenizer;
    this.#captions = captions;
    this.#vectors = vectors;
  }

  /** The nearest caption of each picture, by the embedding of its codes; the first of equally near ones. */
  async describe(pictures: readonly Codes[]): Promise<string[]> {
    const seen = await this.#tokenizer.embedCodes(pictures, { batch: 64 });
    return seen.map((picture) => {
      let [best, nearest] = [-Infinity, ""];
      for (const [i, vector] of this.#vectors.entries()) {
        const nearness = dot(picture, vector);
        if (nearness > best) [best, nearest] = [nearness, this.#captions[i] ?? ""];
      }
      return nearest;
    });
  }
}
