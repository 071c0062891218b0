/** The conversation of `seedling chat`, whatever terminal or pipe it comes through. */
import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { InputError, UsageError } from "../base/errors.ts";
import { item } from "../base/item.ts";
import type { Codes } from "../codes/index.ts";
import type { RgbImage } from "../image/index.ts";
import { fileError, readFileBounded, writeFileAtomic } from "../io/files.ts";
import { type Drawing, type DrawOptions, drawRequest, type SeedLanguageModel, type Turn } from "../language/index.ts";
import { type ChatLine, onePath } from "./chat-line.ts";
import { printable } from "./language-options.ts";
import { MAX_PICTURE } from "./picture-inputs.ts";

/** Where a conversation is shown. */
export interface ChatScreen {
  /** Words of the model, piece by piece. */
  readonly say: (text: string) => Promise<void>;
  /** A picture that was drawn and saved. */
  readonly show: (path: string, png: Uint8Array, image: RgbImage) => Promise<void>;
  /** At the end of a reply, and of a drawing that was asked for. */
  readonly done: (reply: ShownReply) => Promise<void>;
  /** What the program itself has to say. */
  readonly note: (line: string) => void;
}

export interface ShownReply {
  readonly text: string;
  readonly pictures: readonly { readonly file: string; readonly seed: number; readonly codes: Codes }[];
}

export interface ChatSettings extends Omit<DrawOptions, "signal" | "count" | "images" | "onCodes"> {
  readonly seed: number;
  /** Folder of the pictures that are drawn. */
  readonly output: string;
}

export const HELP = `  words               go to the model; paths of pictures among them are shown to it
  /image <path>       shows it a picture, with what you say next
  /draw <prompt>      asks it for a picture, as do plain words: "draw a red apple"
  /save <file>        the last picture as .png, or the conversation as text
  /seed <n>           starts the seeds of replies again from n
  /reset              forgets the conversation
  /quit               leaves, as Ctrl-D does; Ctrl-C stops a reply`;

interface Line {
  readonly who: "USER" | "ASSISTANT";
  readonly text: string;
}

export class ChatSession {
  readonly #model: SeedLanguageModel;
  readonly #settings: ChatSettings;
  readonly #screen: ChatScreen;
  #turns: Turn[] = [];
  #transcript: Line[] = [];
  /** Pictures that go with the next message. */
  #attached: { readonly codes: Codes; readonly path: string }[] = [];
  /** Of the next reply; each has its own, so that asking again gives something else. */
  #seed: number;
  #last: Uint8Array | undefined;
  #number = 1;

  constructor(model: SeedLanguageModel, settings: ChatSettings, screen: ChatScreen) {
    this.#model = model;
    this.#settings = settings;
    this.#screen = screen;
    this.#seed = settings.seed;
  }

  /** Carries out a line; false if it ends the conversation. @throws SeedlingError; the conversation can continue */
  async take(line: ChatLine, signal: AbortSignal): Promise<boolean> {
    if (line.kind === "words") await this.#words(line.text, line.pictures, signal);
    else if (line.name === "draw") await this.#draw(line.rest, this.#model.request(line.rest), signal);
    else if (line.name === "image") await this.#image(line.rest, signal);
    else if (line.name === "save") await this.#save(line.rest);
    else if (line.name === "seed") this.#setSeed(line.rest);
    else if (line.name === "reset") this.#reset();
    else if (line.name === "help") this.#screen.note(HELP);
    return !(line.kind === "command" && line.name === "quit");
  }

  async #words(text: string, pictures: readonly string[], signal: AbortSignal): Promise<void> {
    const attached = [...this.#attached];
    for (const path of pictures) attached.push({ path, codes: await this.#codes(path, signal) });
    if (text === "") {
      this.#attached = attached;
      if (pictures.length > 0) this.#screen.note(`(${pictures.join(", ")}: goes with what you say next)`);
      return;
    }
    const prompt = attached.length === 0 ? drawRequest(text, this.#model.manifest) : undefined;
    if (prompt !== undefined) {
      this.#screen.note(`(drawing "${printable(prompt)}", as /draw does)`);
      return this.#draw(prompt, text, signal);
    }
    const turn: Turn = { role: "user", parts: [...attached.map(({ codes }) => ({ codes })), text] };
    const shown = [...attached.map(({ path }) => `[picture ${path}] `), text].join("");
    const reply = await this.#reply([...this.#turns, turn], signal);
    this.#turns.push(turn, reply.turn);
    this.#transcript.push({ who: "USER", text: shown }, { who: "ASSISTANT", text: reply.text });
    this.#attached = [];
  }

  async #reply(turns: readonly Turn[], signal: AbortSignal): Promise<{ turn: Turn; text: string }> {
    let [said, text, reply]: [string, string, Turn | undefined] = ["", "", undefined];
    const pictures: ShownReply["pictures"][number][] = [];
    const settings = { ...this.#settings, seed: this.#seed, truncate: true, signal };
    for await (const event of this.#model.chat(turns, settings)) {
      if (event.kind === "text") {
        const piece = text === "" ? printable(event.text).trimStart() : printable(event.text);
        said += piece;
        text += piece;
        if (piece !== "") await this.#screen.say(piece);
      } else if (event.kind === "image") {
        const file = await this.#keep(event.drawing, signal);
        text += `[picture ${file}]`;
        pictures.push({ file, seed: event.drawing.seed, codes: event.drawing.codes });
      } else if (event.kind === "truncated") this.#screen.note(`(the first ${event.turns} turns did not fit any more)`);
      else if (event.kind === "end") reply = event.turn;
    }
    this.#seed++;
    await this.#screen.say("\n");
    await this.#screen.done({ text: said.trim(), pictures });
    return { turn: reply ?? { role: "assistant", parts: [] }, text: text.trim() };
  }

  /** @param shown what the conversation shows of the request */
  async #draw(prompt: string, shown: string, signal: AbortSignal): Promise<void> {
    if (prompt === "") throw new UsageError("/draw: expected a prompt, got none. Say what to draw.");
    const settings = { ...this.#settings, seed: this.#seed, signal };
    const [drawing] = await this.#model.draw(prompt, settings);
    if (!drawing) return;
    const { codes, seed } = drawing;
    const file = await this.#keep(drawing, signal);
    await this.#screen.done({ text: "", pictures: [{ file, seed, codes }] });
    this.#seed++;
    this.#turns.push({ role: "user", parts: [this.#model.request(prompt)] }, { role: "assistant", parts: [{ codes }] });
    this.#transcript.push({ who: "USER", text: shown }, { who: "ASSISTANT", text: `[picture ${file}]` });
  }

  /** Saves a picture under a name that is not taken, and shows it. */
  async #keep(drawing: Drawing, signal: AbortSignal): Promise<string> {
    const { output } = this.#settings;
    const png = await drawing.png();
    signal.throwIfAborted();
    await mkdir(output, { recursive: true }).catch((error: unknown) => {
      throw fileError(error, output);
    });
    const name = (): string => join(output, `picture-${this.#number}.png`);
    while (await stat(name()).catch(() => undefined)) this.#number++;
    await writeFileAtomic(name(), png);
    this.#last = png;
    await this.#screen.show(name(), png, drawing.image);
    return name();
  }

  async #image(rest: string, signal: AbortSignal): Promise<void> {
    if (rest === "") throw new UsageError("/image: expected the path of a picture, got none. Name one.");
    await this.#words("", [onePath(rest)], signal);
  }

  async #codes(path: string, signal: AbortSignal): Promise<Codes> {
    const { tokenizer } = this.#model;
    const bytes = await readFileBounded(path, MAX_PICTURE);
    const image = await tokenizer.prepare(bytes, { where: path, warn: (line) => this.#screen.note(line) });
    return Array.from(item(await tokenizer.encode([image], { signal }), 0).codes);
  }

  async #save(rest: string): Promise<void> {
    if (rest === "") throw new UsageError("/save: expected a file, got none. Name one.");
    const path = onePath(rest);
    if (/\.png$/i.test(path)) {
      if (!this.#last) throw new InputError("/save: expected a picture to save, none was drawn yet. /draw makes one.");
      await writeFileAtomic(path, this.#last);
    } else await writeFileAtomic(path, this.#transcript.map(({ who, text }) => `${who}: ${text}\n`).join(""));
    this.#screen.note(`(wrote ${path})`);
  }

  #setSeed(rest: string): void {
    const seed = /^\d{1,10}$/.test(rest) ? Number(rest) : Number.NaN;
    if (!(seed < 2 ** 32)) throw new UsageError(`/seed: expected a whole number from 0 to ${2 ** 32 - 1}.`);
    this.#seed = seed;
    this.#screen.note(`(seed ${seed})`);
  }

  #reset(): void {
    this.#turns = [];
    this.#transcript = [];
    this.#attached = [];
    this.#seed = this.#settings.seed;
    this.#screen.note("(forgotten)");
  }
}
