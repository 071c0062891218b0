/** Graphs that are compiled when they are first run, each once, in one worker thread. */
import { type Program, Runtime, type RuntimeOptions, type Values } from "../runtime/index.ts";
import type { SeedFolder } from "./seed-folder.ts";

export type ProgramName = keyof SeedFolder["graphs"];

export class Programs {
  readonly #folder: SeedFolder;
  readonly #options: RuntimeOptions;
  readonly #onLoad: (name: ProgramName) => void;
  readonly #compiled = new Map<ProgramName, Promise<Program>>();
  #runtime: Runtime | undefined;

  constructor(folder: SeedFolder, options: RuntimeOptions, onLoad: (name: ProgramName) => void) {
    this.#folder = folder;
    this.#options = options;
    this.#onLoad = onLoad;
  }

  async run(name: ProgramName, feeds: Values): Promise<Values> {
    return (await this.#program(name)).run(feeds);
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#compiled.values());
    await this.#runtime?.close();
  }

  #program(name: ProgramName): Promise<Program> {
    const known = this.#compiled.get(name);
    if (known) return known;
    this.#onLoad(name);
    this.#runtime ??= new Runtime(this.#options);
    const { graphs, weights, unetWeights } = this.#folder;
    const program = this.#runtime.compile(graphs[name], name === "unet" ? unetWeights : weights);
    this.#compiled.set(name, program);
    return program;
  }
}
