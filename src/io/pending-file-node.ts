/** A file whose final name is decided when it is complete. Until then it has a hidden, temporary name in the same folder. */
import { randomBytes } from "node:crypto";
import { type FileHandle, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { placeError } from "./files.ts";

export class PendingFile {
  readonly #folder: string;
  readonly #temporary: string;
  readonly #file: FileHandle;
  #published = false;

  private constructor(folder: string, temporary: string, file: FileHandle) {
    this.#folder = folder;
    this.#temporary = temporary;
    this.#file = file;
  }

  /** @param prefix of the temporary name, by which `removePending` finds it. @throws SetupError if it cannot be made */
  static async open(folder: string, prefix: string): Promise<PendingFile> {
    const temporary = join(folder, `.${prefix}.${randomBytes(6).toString("hex")}.tmp`);
    try {
      return new PendingFile(folder, temporary, await open(temporary, "wx"));
    } catch (error) {
      throw placeError(error, folder);
    }
  }

  /** Appends. @throws SetupError if the disk is full */
  async write(bytes: Uint8Array | string): Promise<void> {
    await this.#file.writeFile(bytes).catch((error: unknown) => {
      throw placeError(error, this.#folder);
    });
  }

  /** Flushes it to the disk and gives it its name, in one step and in place of a file that has it. @throws SetupError */
  async publish(name: string): Promise<void> {
    try {
      await this.#file.sync();
      await this.#file.close();
      await rename(this.#temporary, join(this.#folder, name));
      this.#published = true;
    } catch (error) {
      throw placeError(error, join(this.#folder, name));
    }
  }

  /** Removes it unless it was published. */
  async discard(): Promise<void> {
    if (this.#published) return;
    await this.#file.close().catch(() => {});
    await rm(this.#temporary, { force: true }).catch(() => {});
  }
}

/** Removes pending files of `prefix` that a process left behind when it was killed. */
export async function removePending(folder: string, prefix: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => []))
    if (name.startsWith(`.${prefix}.`) && name.endsWith(".tmp")) await rm(join(folder, name), { force: true });
}
