/** The library in a worker of a page, bundled by esbuild into one file: runs what the test asks for. */
import { SeedLanguageModel, SeedTokenizer, type TokenizerLoadOptions } from "../../src/index.ts";
import { codesOfFiles, codesOfPixels, pixelsOf, wordsOf } from "./numbers.ts";

let tokenizer: SeedTokenizer;
let model: SeedLanguageModel;
let downloaded = [0, 0];

const answers = {
  async open(url: string, options: TokenizerLoadOptions) {
    const onDownload = (...bytes: [number, number]): void => {
      downloaded = bytes;
    };
    tokenizer = await SeedTokenizer.fromPretrained(url, { ...options, onDownload });
    return tokenizer.codebookHash;
  },
  codesOfPixels: (count?: number) => codesOfPixels(tokenizer, count),
  codesOfFiles: (files: readonly string[]) => codesOfFiles(tokenizer, files),
  pixelsOf: (codes: readonly number[]) => pixelsOf(tokenizer, codes),
  async wordsOf(url: string, codes: readonly (readonly number[])[]) {
    model = await SeedLanguageModel.fromPretrained(url, { imageTokenizer: tokenizer });
    return wordsOf(model, codes);
  },
  downloaded: async () => downloaded,
  async close() {
    await model?.close();
    await tokenizer.close();
  },
};

export type WorkerAnswers = typeof answers;

// ONNX Runtime loads this script again for its own threads.
if (!self.name.startsWith("em-pthread"))
  self.onmessage = async ({ data: { id, name, args } }) => {
    const answer = answers[name as keyof WorkerAnswers] as (...args: unknown[]) => Promise<unknown>;
    try {
      self.postMessage({ id, result: await answer(...args) });
    } catch (error) {
      self.postMessage({ id, error: (error as Error).message });
    }
  };
