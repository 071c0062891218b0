/** Graphs that are compiled when they are first run, each once, in one worker thread. */
import { SeedlingError } from "../base/errors.ts";
import type { Outputs } from "../graph/index.ts";
import { type Program, Runtime, type RuntimeOptions, type Value, type Values, type WeightSource } from "./index.ts";

/** A graph and where its weights are. */
export interface Part {
  readonly outputs: Outputs;
  readonly weights: WeightSource;
}

export interface ProgramsOptions extends RuntimeOptions {
  /** Called with the name of a graph before it is compiled. */
  readonly onCompile?: (name: string) => void;
}

/** Owns a worker thread that others may use too; only the owner closes it. */
export interface RuntimeOwner {
  readonly runtime: Runtime;
}

export class Programs<Name extends string> {
  readonly #part: (name: Name) => Part;
  readonly #options: ProgramsOptions;
  readonly #shared: RuntimeOwner | undefined;
  readonly #compiled = new Map<Name, Promise<Program>>();
  #runtime: Runtime | undefined;

  /** @param shared owner of the worker thread to run in. Default: a thread of its own */
  constructor(part: (name: Name) => Part, options: ProgramsOptions = {}, shared?: RuntimeOwner) {
    this.#part = part;
    this.#options = options;
    this.#shared = shared;
  }

  /** Runs the graph; `fetch` names the outputs wanted, all by default. */
  async run(name: Name, feeds: Values, fetch?: readonly string[]): Promise<Values> {
    return (await this.#program(name)).run(feeds, fetch);
  }

  /** Runs the graph for one of its outputs. */
  async output(name: Name, feeds: Values, output: string): Promise<Value> {
    const value = (await this.run(name, feeds, [output]))[output];
    if (value) return value;
    throw new SeedlingError(`${name}: expected the output ${output}, found none.`);
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#compiled.values());
    await this.#runtime?.close();
  }

  /** Started when it is first needed. */
  get runtime(): Runtime {
    if (this.#shared) return this.#shared.runtime;
    this.#runtime ??= new Runtime(this.#options);
    return this.#runtime;
  }

  #program(name: Name): Promise<Program> {
    const known = this.#compiled.get(name);
    if (known) return known;
    this.#options.onCompile?.(name);
    const { outputs, weights } = this.#part(name);
    const program = this.runtime.compile(outputs, weights);
    this.#compiled.set(name, program);
    return program;
  }
}
