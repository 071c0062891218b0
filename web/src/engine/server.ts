/** The engine behind `seedling serve`: the same API that programs use. */
import {
  type ChatOptions,
  type DecodeOptions,
  type DrawOptions,
  type DrawProgress,
  type Engine,
  EngineError,
  type Found,
  type Message,
  type Part,
  type Picture,
  type SearchQuery,
} from "./engine.ts";
import { serverEvents } from "./server-events.ts";

interface ImagePart {
  readonly image_url: { readonly url: string };
  readonly codes: readonly number[];
}

const png = (base64: string): string => `data:image/png;base64,${base64}`;

export class ServerEngine implements Engine {
  readonly where = "server";
  readonly devices = [];
  readonly indexed: number;
  readonly #base: string;
  #model: string | undefined;

  /**
   * @param base address below which `/v1` is
   * @param indexed how many pictures its index has
   */
  constructor(base: string, indexed: number) {
    this.#base = base;
    this.indexed = indexed;
  }

  async models(): Promise<readonly string[]> {
    const { data } = await this.#json<{ data: { id: string }[] }>("models");
    return data.map(({ id }) => id);
  }

  use(model: string): void {
    this.#model = model;
  }

  useDevice(): void {}

  async encode(url: string, signal: AbortSignal): Promise<readonly number[]> {
    const { codes } = await this.#json<{ codes: number[][] }>("tokenize", { images: [url] }, signal);
    return codes[0] ?? [];
  }

  async decode(codes: readonly number[], options: DecodeOptions, signal: AbortSignal): Promise<string> {
    const body = { codes: [codes], keep: options.keep, seed: options.seed };
    const { images } = await this.#json<{ images: { b64_json: string }[] }>("detokenize", body, signal);
    return png(images[0]?.b64_json ?? "");
  }

  async describe(codes: readonly number[], signal: AbortSignal): Promise<string> {
    const { texts } = await this.#json<{ texts: string[] }>("describe", { codes: [codes] }, signal);
    return texts[0] ?? "";
  }

  async draw(
    prompt: string,
    { seed, temperature, guidanceScale }: DrawOptions,
    onProgress: (progress: DrawProgress) => void,
    signal: AbortSignal,
  ): Promise<Picture> {
    const body = { prompt, seed, temperature, guidance_scale: guidanceScale, stream: true, partial_images: 3 };
    const response = await this.#post("images/generations", body, signal);
    for await (const event of serverEvents(response)) {
      const { type, b64_json, codes } = event as { type?: string; b64_json?: string; codes?: number[] };
      if (type === "image_generation.partial_image") onProgress({ codes: codes ?? [], url: png(b64_json ?? "") });
      else if (type === "image_generation.completed") return { url: png(b64_json ?? ""), codes: codes ?? [] };
    }
    throw new EngineError("The server ended the drawing early.");
  }

  async chat(
    messages: readonly Message[],
    options: ChatOptions,
    onPart: (part: Part) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const response = await this.#post(
      "chat/completions",
      { messages: messages.map(toApi), ...options, stream: true },
      signal,
    );
    for await (const event of serverEvents(response)) {
      const { choices } = event as { choices?: { delta: { content?: string; images?: ImagePart[] } }[] };
      const delta = choices?.[0]?.delta;
      if (delta?.content) onPart({ text: delta.content });
      for (const { image_url, codes } of delta?.images ?? []) onPart({ picture: { url: image_url.url, codes } });
    }
  }

  async search(query: SearchQuery, signal: AbortSignal): Promise<readonly Found[]> {
    const { data } = await this.#json<{ data: (Omit<Found, "url"> & { id: number })[] }>(
      "search",
      { ...query, n: 24 },
      signal,
    );
    return data.map(({ id, ...found }) => ({ ...found, url: `${this.#base}/v1/search/pictures/${id}` }));
  }

  async #json<T>(path: string, body?: object, signal?: AbortSignal): Promise<T> {
    const response = body ? await this.#post(path, body, signal) : await this.#fetch(path, { signal });
    return (await response.json()) as T;
  }

  #post(path: string, body: object, signal?: AbortSignal): Promise<Response> {
    return this.#fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: this.#model, ...body }),
      signal,
    });
  }

  async #fetch(path: string, options: RequestInit): Promise<Response> {
    let response: Response;
    try {
      response = await fetch(`${this.#base}/v1/${path}`, options);
    } catch (error) {
      if (options.signal?.aborted) throw error;
      throw new EngineError("The server cannot be reached. Is `seedling serve` still running?");
    }
    if (response.ok) return response;
    const reply = (await response.json().catch(() => undefined)) as { error?: { message?: string } } | undefined;
    throw new EngineError(reply?.error?.message ?? `The server answered ${response.status}.`);
  }
}

function toApi({ role, parts }: Message): object {
  const images = parts.flatMap((part) =>
    "picture" in part ? [{ type: "image_url", image_url: { url: part.picture.url }, codes: part.picture.codes }] : [],
  );
  const text = parts.flatMap((part) => ("text" in part ? [part.text] : [])).join("");
  if (role === "assistant") return { role, content: text || null, images: images.length ? images : undefined };
  return { role, content: [...images, { type: "text", text }] };
}
