/**
 * Work that processes on any number of machines share through a folder, without a coordinator.
 *
 * A claim on a piece of work is a file that only one process can create. Its owner rewrites it now and then; a claim that
 * was not rewritten for `staleMs` is taken over by creating the claim of the next generation, which again only one
 * process can do. Claims are removed only when the work is done, so a process that was slow to look can never win a
 * generation a second time. Whoever gets a claim must check whether the work has been done meanwhile.
 *
 * The folder needs exclusive creation, as local disks, NFS 3 and later, Lustre, GPFS and CephFS have it. Times are those
 * of the folder's file system, so the clocks of the machines may differ.
 */
import { randomBytes } from "node:crypto";
import { open, readFile, readlink, rm, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { makeFolder, placeError } from "./files.ts";

export interface ClaimOptions {
  /** A claim that was not renewed for this long may be taken over, ms. */
  readonly staleMs: number;
}

/** A piece of work that this process does. */
export interface Claim {
  /** Whether it took over a claim that another process left behind. */
  readonly takenOver: boolean;
  /** Whether the work is still this process's: false once another one has taken over. */
  held(): Promise<boolean>;
  /** The work is done: removes the claim. */
  done(): Promise<void>;
  /** The work is not done: others may take over at once. */
  release(): Promise<void>;
}

export class Claims {
  readonly #folder: string;
  readonly #staleMs: number;

  private constructor(folder: string, staleMs: number) {
    this.#folder = folder;
    this.#staleMs = staleMs;
  }

  /** Claims in `folder`, which is made if it is missing. @throws SetupError if it cannot be */
  static async open(folder: string, { staleMs }: ClaimOptions): Promise<Claims> {
    await makeFolder(folder);
    return new Claims(folder, staleMs);
  }

  /** Claims the work called `name`; undefined if another process does it. @throws SetupError if the folder cannot be written */
  async claim(name: string): Promise<Claim | undefined> {
    const latest = await this.#latest(name);
    if (latest >= 0 && !(await this.#isStale(this.#path(name, latest)))) return undefined;
    const path = this.#path(name, latest + 1);
    const text = JSON.stringify({ ...(await thisProcess()), token: randomBytes(8).toString("hex") });
    if (!(await created(path, text))) return undefined;
    return this.#keep(name, latest + 1, text);
  }

  /** Removes what is left of claims on work that is done. */
  async forget(name: string): Promise<void> {
    await this.#remove(name, await this.#latest(name));
  }

  #path(name: string, generation: number): string {
    return join(this.#folder, `${name}.${generation}.claim`);
  }

  async #latest(name: string): Promise<number> {
    let generation = -1;
    while ((await changedMs(this.#path(name, generation + 1))) !== undefined) generation++;
    return generation;
  }

  async #isStale(path: string): Promise<boolean> {
    const changed = await changedMs(path);
    if (changed === undefined) return false; // done meanwhile
    if ((await this.#now()) - changed > this.#staleMs) return true;
    return isDead(await readFile(path, "utf8").catch(() => ""));
  }

  /** The time by the clock of the file system. */
  async #now(): Promise<number> {
    const clock = join(this.#folder, "clock");
    await writeFile(clock, ".").catch((error: unknown) => {
      throw placeError(error, clock);
    });
    return (await changedMs(clock)) ?? 0;
  }

  #keep(name: string, generation: number, text: string): Claim {
    const path = this.#path(name, generation);
    const renew = (): Promise<void> => writeFile(path, text, { flag: "r+" }).catch(() => {}); // `held` finds out
    let renewing: Promise<void> = Promise.resolve();
    const timer = setInterval(() => {
      renewing = renew();
    }, this.#staleMs / 4);
    const stop = (): Promise<void> => {
      clearInterval(timer);
      return renewing;
    };
    return {
      takenOver: generation > 0,
      held: async () =>
        (await readFile(path, "utf8").catch(() => "")) === text &&
        (await changedMs(this.#path(name, generation + 1))) === undefined,
      done: async () => {
        await stop();
        await this.#remove(name, generation);
      },
      release: async () => {
        await stop();
        await utimes(path, 0, 0).catch(() => {}); // goes stale by itself
      },
    };
  }

  /** The latest first, so that generation 0 is there as long as any is. */
  async #remove(name: string, latest: number): Promise<void> {
    for (let generation = latest; generation >= 0; generation--)
      await rm(this.#path(name, generation), { force: true }).catch(() => {});
  }
}

/** Creates a file that must not exist. @returns whether this process did */
async function created(path: string, text: string): Promise<boolean> {
  try {
    const file = await open(path, "wx");
    await file.writeFile(text).finally(() => file.close());
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw placeError(error, path);
  }
}

async function changedMs(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).mtimeMs;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw placeError(error, path);
  }
}

interface ProcessName {
  readonly host: string;
  readonly pid: number;
  /** Of the running system and its process ids, so that containers of one host differ; empty where that is unknown. */
  readonly system: string;
}

async function thisProcess(): Promise<ProcessName> {
  const boot = await readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => "");
  const ids = await readlink("/proc/self/ns/pid").catch(() => "");
  return { host: hostname(), pid: process.pid, system: boot && ids && `${boot.trim()} ${ids}` };
}

/** Whether a claim is by a process of this very system that has ended: nobody needs to wait for it. */
async function isDead(text: string): Promise<boolean> {
  const { system } = await thisProcess();
  try {
    const owner = JSON.parse(text) as Partial<ProcessName>;
    if (system === "" || owner.system !== system || !Number.isSafeInteger(owner.pid)) return false;
    process.kill(owner.pid as number, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}
