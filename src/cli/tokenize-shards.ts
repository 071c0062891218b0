/** `seedling tokenize --shards`: tar shards -> one output each, shared among any number of processes. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { SeedlingError } from "../base/errors.ts";
import type { ResizeFilter } from "../image/index.ts";
import type { SeedTokenizer } from "../image-tokenizer/seed-tokenizer.ts";
import { type Claim, Claims } from "../io/claims-node.ts";
import { exists, makeFolder } from "../io/files.ts";
import { removePending } from "../io/pending-file-node.ts";
import { interruptible } from "./interrupt.ts";
import { findModel, type ModelOptions, withModel } from "./options.ts";
import { writeJson } from "./output.ts";
import { expectFolderPlace } from "./places.ts";
import { plural, Report } from "./report.ts";
import { convertShard, partialName } from "./shards/convert-shard.ts";
import { OUTPUT_FORMATS, type OutputFormatName, type ShardOrigin } from "./shards/output-format.ts";
import { expectElsewhere, findShards, modelHash, outputName, shardHash } from "./shards/shard-names.ts";
import { shareWork } from "./shards/share-work.ts";

export interface ShardOptions extends ModelOptions {
  readonly json?: boolean;
  readonly shards: string;
  readonly outputFormat?: OutputFormatName;
  readonly embeddings?: boolean;
  /** Seconds. */
  readonly stale?: number;
  readonly wait: boolean;
  readonly batch: number;
  readonly filter: ResizeFilter;
}

/** Claims, and what is remembered of shards, within the folder of outputs. */
const STATE = ".seedling";
const STALE_SECONDS = 120;

export async function tokenizeShards(inputs: readonly string[], options: ShardOptions): Promise<void> {
  const { shards: out, outputFormat = "packed", stale = STALE_SECONDS } = options;
  const report = new Report(options);
  await expectFolderPlace(out);
  const shards = await findShards(inputs, report);
  if (shards.length === 0) return report.finish(0);
  if (outputFormat === "webdataset") expectElsewhere(shards, out);
  await makeFolder(out);
  const claims = await Claims.open(join(out, STATE), { staleMs: stale * 1000 });
  const { folder } = await findModel(options);
  const run = new ShardRun(options, claims, await modelHash(folder), report);
  await interruptible((signal) => run.all(startingAnywhere(shards), signal));
  await run.finish();
}

/** Processes that start together begin at different shards, so that they do not all read the same one. */
function startingAnywhere<T>(items: readonly T[]): T[] {
  const first = Math.floor(Math.random() * items.length);
  return [...items.slice(first), ...items.slice(0, first)];
}

/** What one process does of the shards. */
class ShardRun {
  readonly #options: ShardOptions;
  readonly #claims: Claims;
  readonly #model: string;
  readonly #report: Report;
  readonly #format: OutputFormatName;
  readonly #names = new Map<string, { name: string; input: string } | undefined>();
  readonly #started = Date.now();
  readonly #counts = { written: 0, pictures: 0, present: 0, byOthers: 0, partial: 0, failed: 0, unfinished: 0 };
  #shards = 0;
  #tokenizer: SeedTokenizer | undefined;

  constructor(options: ShardOptions, claims: Claims, model: string, report: Report) {
    this.#options = options;
    this.#claims = claims;
    this.#model = model;
    this.#report = report;
    this.#format = options.outputFormat ?? "packed";
  }

  /** A model is opened only if there is anything to do. */
  async all(shards: readonly string[], signal: AbortSignal): Promise<void> {
    this.#shards = shards.length;
    const left = await this.#afterPresent(shards, signal);
    if (left.length === 0) return;
    await withModel(this.#options, this.#options.embeddings ? "embed" : "encode", async (tokenizer) => {
      tokenizer.expect("encode");
      this.#tokenizer = tokenizer;
      this.#counts.unfinished = (await this.#share(left, signal)).length;
    });
  }

  /** The shards from the first one on that has no output yet. */
  async #afterPresent(shards: readonly string[], signal: AbortSignal): Promise<readonly string[]> {
    for (const [i, shard] of shards.entries()) {
      signal.throwIfAborted();
      const name = await this.#name(shard);
      if (name === undefined) this.#counts.failed++;
      else if (await this.#present(name, shard)) this.#counts.present++;
      else return shards.slice(i);
    }
    return [];
  }

  /** @returns what other processes are still working on, with --no-wait */
  #share(shards: readonly string[], signal: AbortSignal): Promise<readonly string[]> {
    this.#progress(0);
    return shareWork(shards, {
      claims: this.#claims,
      name: (shard) => this.#name(shard),
      present: (name, shard) => this.#present(name, shard),
      work: (shard, name, claim) => this.#convert(shard, name, claim, signal),
      onOutcome: (_, outcome, late) => {
        if (outcome === "failed") this.#counts.failed++;
        if (outcome === "present") this.#counts[late ? "byOthers" : "present"]++;
      },
      onWait: ({ length }) => this.#report.doing(`waiting for ${plural(length, "shard")} of other processes`),
      wait: this.#options.wait,
      signal,
    });
  }

  /** Name of the output of a shard; undefined if the shard cannot be read, which is reported once. */
  async #name(shard: string): Promise<string | undefined> {
    if (!this.#names.has(shard)) {
      const { device, filter, embeddings = false } = this.#options;
      try {
        const input = await shardHash(shard, join(this.#options.shards, STATE));
        const settings = JSON.stringify({ device, filter, embeddings, format: this.#format });
        this.#names.set(shard, { name: outputName(shard, input, this.#model, settings), input });
      } catch (error) {
        this.#report.problem(error);
        this.#names.set(shard, undefined);
      }
    }
    return this.#names.get(shard)?.name;
  }

  async #present(name: string, shard: string): Promise<boolean> {
    const ending = OUTPUT_FORMATS[this.#format].endings.at(-1);
    const at = (stem: string): string => join(this.#options.shards, `${stem}${ending}`);
    if (await exists(at(name))) return true;
    if (!(await exists(at(partialName(name))))) return false;
    this.#report.warn(`${shard}: damaged; what is good of it is in ${partialName(name)}${ending}. Copy it again.`);
    return true;
  }

  async #convert(shard: string, name: string, claim: Claim, signal: AbortSignal): Promise<boolean> {
    const { shards: out, batch, filter, embeddings = false } = this.#options;
    const origin: ShardOrigin = { model: this.#model, input: this.#names.get(shard)?.input ?? "", embeddings };
    try {
      if (claim.takenOver) await removePending(out, name);
      const size = (await stat(shard).catch(() => undefined))?.size ?? 0;
      const converted = await convertShard(shard, name, {
        ...{ tokenizer: this.#tokenizer as SeedTokenizer, format: OUTPUT_FORMATS[this.#format], origin, out },
        ...{ batch, filter, report: this.#report, signal, held: () => claim.held() },
        onProgress: (pictures, bytesRead) => this.#progress(pictures, size > 0 ? bytesRead / size : 0),
      });
      if (!converted) return false;
      this.#counts.written++;
      this.#counts.pictures += converted.pictures;
      if (converted.partial) this.#counts.partial++;
      this.#progress(0);
      return true;
    } catch (error) {
      if (!(error instanceof SeedlingError)) throw error;
      this.#report.problem(error);
      return false;
    }
  }

  /** Shards of this process, with `part` of the one it is working on, out of those that are not done by others. */
  #progress(pictures: number, part = 0): void {
    const { written, present, byOthers, failed } = this.#counts;
    const total = this.#shards - present - byOthers - failed;
    const unit = `shards (${this.#counts.pictures + pictures} pictures)`;
    this.#report.progress("tokenizing", written + Math.min(part, 1), total, unit);
  }

  /** Prints the summary and sets the exit code. */
  async finish(): Promise<void> {
    const { written, pictures, present, byOthers, partial, unfinished } = this.#counts;
    const seconds = (Date.now() - this.#started) / 1000;
    this.#report.clear();
    if (this.#options.json)
      await writeJson({ out: this.#options.shards, shards: this.#shards, ...this.#counts, seconds });
    const parts = [
      plural(pictures, "picture"),
      ...(partial > 0 ? [`${partial} partial`] : []),
      ...(present > 0 ? [`${present} there already`] : []),
      ...(byOthers > 0 ? [`${byOthers} by other processes`] : []),
      ...(unfinished > 0 ? [`${unfinished} still with other processes`] : []),
    ];
    this.#report.wrote(this.#options.shards, undefined, `${plural(written, "shard")} (${parts.join(", ")})`);
    this.#report.finish(pictures + present + byOthers);
  }
}
