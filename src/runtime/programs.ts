/** Graphs that are compiled when they are first run, each once, in one worker thread. */

import type { Outputs } from "../graph/index.ts";
import { type Program, Runtime, type RuntimeOptions, type Values, type WeightSource } from "./index.ts";

/** A graph and where its weights are. */
export interface Part {
  readonly outputs: Outputs;
  readonly weights: WeightSource;
}

export class Programs<Name extends string> {
  readonly #part: (name: Name) => Part;
  readonly #options: RuntimeOptions;
  readonly #onLoad: (name: Name) => void;
  readonly #compiled = new Map<Name, Promise<Program>>();
  #runtime: Runtime | undefined;

  constructor(part: (name: Name) => Part, options: RuntimeOptions, onLoad: (name: Name) => void) {
    this.#part = part;
    this.#options = options;
    this.#onLoad = onLoad;
  }

  /** Runs the graph; `fetch` names the outputs wanted, all by default. */
  async run(name: Name, feeds: Values, fetch?: readonly string[]): Promise<Values> {
    return (await this.#program(name)).run(feeds, fetch);
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#compiled.values());
    await this.#runtime?.close();
  }

  #program(name: Name): Promise<Program> {
    const known = this.#compiled.get(name);
    if (known) return known;
    this.#onLoad(name);
    this.#runtime ??= new Runtime(this.#options);
    const { outputs, weights } = this.#part(name);
    const program = this.#runtime.compile(outputs, weights);
    this.#compiled.set(name, program);
    return program;
  }
}
