/** Questions about pictures that a language model sees as vectors in place of codes, as twins of SEED do. */
import type { Codes } from "../codes/index.ts";
import type { RgbImage } from "../image/index.ts";
import type { SeedTokenizer } from "../image-tokenizer/seed-tokenizer.ts";
import { featureIds } from "../models/feature-rows.ts";
import type { RuntimeOptions, Value } from "../runtime/index.ts";
import { type LmManifest, readLmManifest } from "../text/index.ts";
import { ChatModel } from "./chat-model.ts";
import { type FeatureModel, openFeatureModel } from "./generation/feature-model.ts";

export interface PictureQuestion {
  readonly question: string;
  /** Without one the question is asked alone. */
  readonly image?: RgbImage | undefined;
}

export interface FeatureReplyOptions {
  /** Default 1: the likeliest token each time. */
  readonly beams?: number;
  readonly maxTokens?: number;
  readonly repetitionPenalty?: number;
  readonly onReply?: (done: number, total: number) => void;
}

/** Pictures that are encoded at a time. */
const BATCH = 16;

export class FeatureReader {
  readonly manifest: LmManifest;
  readonly #tokenizer: SeedTokenizer;
  readonly #model: FeatureModel;
  readonly #chat: ChatModel;

  /**
   * @param tokenizer makes the vectors; it stays open
   * @throws SetupError or InputError if a part is missing, damaged or of another kind
   */
  static async open(
    { lm, adapter }: { readonly lm: string; readonly adapter: string },
    tokenizer: SeedTokenizer,
    options: RuntimeOptions = {},
  ): Promise<FeatureReader> {
    const manifest = await readLmManifest(adapter);
    return new FeatureReader(manifest, tokenizer, await openFeatureModel(lm, adapter, options));
  }

  private constructor(manifest: LmManifest, tokenizer: SeedTokenizer, model: FeatureModel) {
    this.manifest = manifest;
    this.#tokenizer = tokenizer;
    this.#model = model;
    this.#chat = new ChatModel(model, manifest);
  }

  async reply(asked: readonly PictureQuestion[], options: FeatureReplyOptions = {}): Promise<string[]> {
    const { onReply, ...settings } = options;
    const replies: string[] = [];
    for (let at = 0; at < asked.length; at += BATCH) {
      const some = asked.slice(at, at + BATCH);
      this.#model.show(await this.#features(some));
      const prompts = some.map((one, i) => this.#prompt(one, i));
      // Vectors have ids of their own, which the rule of codes would take for codes.
      const said = await this.#chat.replies(prompts, { ...settings, temperature: 0, images: "free" });
      replies.push(...said.map(({ text }) => text));
      onReply?.(replies.length, asked.length);
    }
    return replies;
  }

  /** Vectors of the pictures, f32 [n Q,W]; zeros for questions without one. */
  async #features(asked: readonly PictureQuestion[]): Promise<Value> {
    const images = asked.flatMap(({ image }) => (image ? [image] : []));
    const seen = (await this.#tokenizer.causalEmbeddings(images)).values();
    const width = this.#tokenizer.config.qformer.hidden;
    const length = this.manifest.codes * width;
    const data = new Float32Array(asked.length * length);
    for (const [i, { image }] of asked.entries()) if (image) data.set(seen.next().value!, i * length);
    return { shape: [asked.length * this.manifest.codes, width], data };
  }

  #prompt({ image, question }: PictureQuestion, index: number): number[] {
    const queries = this.manifest.codes;
    const codes: Codes = Array.from({ length: queries }, (_, i) => i);
    const prompt = this.#chat.prompt([{ role: "user", parts: image ? [{ codes }, question] : [question] }]);
    return featureIds(prompt, index, { vocabulary: this.#model.config.vocabulary, queries });
  }

  close(): Promise<void> {
    return this.#chat.close();
  }
}
