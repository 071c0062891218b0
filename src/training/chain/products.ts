/** What a chain makes of finished stages, each made again only when something it was made of has changed. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { InputError } from "../../base/errors.ts";
import { exists, isMissing, writeFileAtomic } from "../../io/files.ts";
import { parseWith, readJsonFile } from "../../io/json-file.ts";
import type { Scores } from "./training-json.ts";

const SCORES = "scores.json";

const parse = parseWith(z.record(z.string(), z.string()));

export class Products {
  readonly #root: string;
  readonly #path: string;

  /** @param root the run folder, whose `products.json` says what was made of what */
  constructor(root: string) {
    this.#root = root;
    this.#path = join(root, "products.json");
  }

  /**
   * The folder `name` of the run folder, made by `make` unless it was made with this key before.
   * @throws InputError if there is a folder of that name that was not made here
   */
  async folder(name: string, key: string, make: (folder: string) => Promise<void>): Promise<string> {
    const folder = join(this.#root, name);
    const made = await this.#read();
    if (made[name] === key && (await exists(folder))) return folder;
    if (made[name] === undefined && (await exists(folder)))
      throw new InputError(`${folder}: expected no such folder, got one that this run did not make. Move it away.`);
    await this.#write({ ...made, [name]: "unfinished" });
    await rm(folder, { recursive: true, force: true });
    await make(folder);
    await this.#write({ ...made, [name]: key });
    return folder;
  }

  /** Whether `name` was made with this key before. */
  async has(name: string, key: string): Promise<boolean> {
    return (await this.#read())[name] === key;
  }

  async done(name: string, key: string): Promise<void> {
    await this.#write({ ...(await this.#read()), [name]: key });
  }

  /** Scores that were kept with this key. */
  async scores(key: string): Promise<Scores | undefined> {
    if (!(await this.has(SCORES, key))) return undefined;
    const path = join(this.#root, SCORES);
    return (await exists(path)) ? ((await readJsonFile(path, 16e6)) as Scores) : undefined;
  }

  async keepScores(key: string, scores: Scores): Promise<void> {
    await writeFileAtomic(join(this.#root, SCORES), `${JSON.stringify(scores, null, 2)}\n`);
    await this.done(SCORES, key);
  }

  async #read(): Promise<Readonly<Record<string, string>>> {
    try {
      return parse(await readJsonFile(this.#path), this.#path);
    } catch (error) {
      if (isMissing(error)) return {};
      throw error;
    }
  }

  async #write(made: Readonly<Record<string, string>>): Promise<void> {
    await writeFileAtomic(this.#path, `${JSON.stringify(made, null, 2)}\n`);
  }
}
