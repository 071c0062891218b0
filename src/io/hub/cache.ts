/**
 * The cache that Hugging Face's tools share: `models--owner--name/{blobs,refs,snapshots}`, blobs named by their hash,
 * snapshots of links. HF_HUB_CACHE or HF_HOME say where it lies.
 */
import { access, mkdir, readFile, stat, symlink } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { getHFHubCachePath, getRepoFolderName } from "@huggingface/hub";
import { fileError, writeFileAtomic } from "../files.ts";

const COMMIT = /^[0-9a-f]{40}$/;

export class ModelCache {
  readonly #folder: string;

  /** name: "owner/name". */
  constructor(name: string) {
    this.#folder = join(getHFHubCachePath(), getRepoFolderName({ type: "model", name }));
  }

  /** The folder of a revision whose files were all downloaded, if there is one. */
  async find(revision: string): Promise<string | undefined> {
    const commit = COMMIT.test(revision)
      ? revision
      : (await readFile(this.#ref(revision), "utf8").catch(() => "")).trim();
    if (!COMMIT.test(commit)) return undefined;
    return access(this.#snapshot(commit)).then(
      () => this.#snapshot(commit),
      () => undefined,
    );
  }

  /** Where the file with this hash belongs; its folder exists afterwards. */
  async blob(hash: string): Promise<string> {
    const path = join(this.#folder, "blobs", hash);
    await mkdir(dirname(path), { recursive: true }).catch((error: unknown) => {
      throw fileError(error, path);
    });
    return path;
  }

  /** Makes the folder of a commit from downloaded blobs: path in the repository -> hash. */
  async link(revision: string, commit: string, blobs: ReadonlyMap<string, string>): Promise<string> {
    const folder = this.#snapshot(commit);
    try {
      for (const [path, hash] of blobs) {
        const link = join(folder, path);
        if (await stat(link).catch(() => undefined)) continue;
        await mkdir(dirname(link), { recursive: true });
        await symlink(relative(dirname(link), await this.blob(hash)), link);
      }
      if (revision !== commit) {
        await mkdir(dirname(this.#ref(revision)), { recursive: true });
        await writeFileAtomic(this.#ref(revision), commit);
      }
    } catch (error) {
      throw fileError(error, folder);
    }
    return folder;
  }

  #ref(revision: string): string {
    return join(this.#folder, "refs", revision);
  }

  #snapshot(commit: string): string {
    return join(this.#folder, "snapshots", commit);
  }
}
