/** The model in a worker of the page. Parts of it are fetched and opened when they are first needed. */
import { encodePng, type LoadOptions, type RgbImage, SeedLanguageModel, SeedTokenizer, type Turn } from "seedling";
import type { FromWorker, ToWorker, Work, WorkName } from "./browser-protocol.ts";
import type { ChatOptions, DecodeOptions, DrawOptions, DrawProgress, Message, Part } from "./engine.ts";

type Answer<Name extends WorkName> = Promise<ReturnType<Work[Name]>>;

/** Pictures that a drawing shows before it is complete: after these numbers of codes, in few steps. */
const PARTIAL_AFTER = [8, 16, 24];
const PARTIAL_STEPS = 4;

class Model {
  readonly #folder: string;
  readonly #options: LoadOptions;
  #tokenizer: Promise<SeedTokenizer> | undefined;
  #language: Promise<SeedLanguageModel> | undefined;

  constructor(folder: string, options: LoadOptions) {
    this.#folder = folder;
    this.#options = options;
  }

  async encode(signal: AbortSignal, url: string): Answer<"encode"> {
    const picture = new Uint8Array(await (await fetch(url)).arrayBuffer());
    const [found] = await (await this.#images()).encode([picture], { signal });
    return [...(found?.codes ?? [])];
  }

  async decode(signal: AbortSignal, codes: readonly number[], { keep, seed }: DecodeOptions): Answer<"decode"> {
    const [image] = await (await this.#images()).decode([codes], { keep, seed, batch: 1, signal });
    return dataUrl(await pngOf(image));
  }

  async describe(signal: AbortSignal, codes: readonly number[]): Answer<"describe"> {
    const [text] = await (await this.#words()).describe([{ codes }], { signal });
    return text ?? "";
  }

  async draw(
    signal: AbortSignal,
    send: (progress: DrawProgress) => void,
    prompt: string,
    { seed, temperature, guidanceScale }: DrawOptions,
  ): Answer<"draw"> {
    const model = await this.#words();
    const settings = { seed, temperature, guidanceScale, signal };
    let partial: Promise<void> = Promise.resolve();
    const onCode = (codes: readonly number[]): void => {
      send({ codes });
      if (PARTIAL_AFTER.includes(codes.length))
        partial = partial.then(() => this.#sendPartial(codes, seed, send, signal));
    };
    const [drawn] = await model.drawCodes(prompt, { ...settings, onCode });
    if (!drawn) throw new Error("The model drew nothing.");
    await partial;
    const { codes } = drawn;
    const [image] = await model.tokenizer.decode([codes], { seed, guidanceScale, batch: 1, signal });
    if (!image) throw new Error("The model decoded nothing.");
    return { url: dataUrl(await model.drawing(prompt, drawn, image, settings).png()), codes };
  }

  async chat(
    signal: AbortSignal,
    send: (part: Part) => void,
    messages: readonly Message[],
    options: ChatOptions,
  ): Answer<"chat"> {
    const model = await this.#words();
    for await (const event of model.chat(messages.map(turnOf), { ...options, truncate: true, signal })) {
      if (event.kind === "text") send({ text: event.text });
      else if (event.kind === "image")
        send({ picture: { url: dataUrl(await event.drawing.png()), codes: event.drawing.codes } });
    }
  }

  async #sendPartial(
    codes: readonly number[],
    seed: number,
    send: (progress: DrawProgress) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const keep = codes.length;
    const padded = [...codes, ...Array<number>(32 - keep).fill(0)];
    const options = { keep, seed, steps: PARTIAL_STEPS, batch: 1, signal };
    const [image] = await (await this.#images()).decode([padded], options);
    send({ codes, url: dataUrl(await pngOf(image)) });
  }

  #images(): Promise<SeedTokenizer> {
    this.#tokenizer ??= SeedTokenizer.fromPretrained(this.#folder, this.#options).catch((error) => {
      this.#tokenizer = undefined; // the next request tries again
      throw error;
    });
    return this.#tokenizer;
  }

  #words(): Promise<SeedLanguageModel> {
    this.#language ??= this.#images()
      .then((imageTokenizer) => SeedLanguageModel.fromPretrained(this.#folder, { ...this.#options, imageTokenizer }))
      .catch((error) => {
        this.#language = undefined;
        throw error;
      });
    return this.#language;
  }
}

function turnOf({ role, parts }: Message): Turn {
  return { role, parts: parts.map((part) => ("text" in part ? part.text : { codes: part.picture.codes })) };
}

function pngOf(image: RgbImage | undefined): Promise<Uint8Array> {
  if (!image) throw new Error("The model decoded nothing.");
  return encodePng(image);
}

function dataUrl(png: Uint8Array): string {
  let binary = "";
  for (let at = 0; at < png.length; at += 0x8000) binary += String.fromCharCode(...png.subarray(at, at + 0x8000));
  return `data:image/png;base64,${btoa(binary)}`;
}

const post = (message: FromWorker): void => self.postMessage(message);
const running = new Map<number, AbortController>();
let model: Model | undefined;

async function run(id: number, name: WorkName, args: readonly unknown[]): Promise<void> {
  const stop = new AbortController();
  running.set(id, stop);
  try {
    if (!model) throw new Error("There is no model here.");
    const send = (event: DrawProgress | Part): void => post({ id, event });
    const streamed = name === "draw" || name === "chat" ? [send] : [];
    const work = model[name] as (...args: unknown[]) => Promise<unknown>;
    post({ id, result: await work.call(model, stop.signal, ...streamed, ...args) });
  } catch (error) {
    post({ id, error: error instanceof Error ? error.message : String(error) });
  } finally {
    running.delete(id);
  }
}

// ONNX Runtime may load this script again for its own threads.
if (!self.name.startsWith("em-pthread"))
  self.onmessage = ({ data }: MessageEvent<ToWorker>) => {
    if ("open" in data) {
      const { folder, device, threads } = data.open;
      const onDownload = (doneBytes: number, totalBytes: number): void => post({ doneBytes, totalBytes });
      model = new Model(folder, { device, threads, onDownload });
    } else if ("cancel" in data) running.get(data.id)?.abort(new DOMException("cancelled", "AbortError"));
    else void run(data.id, data.work, data.args);
  };
