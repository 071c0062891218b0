/**
 * The cache that Hugging Face's tools share: `models--owner--name/{blobs,refs,snapshots}`, blobs named by their hash,
 * snapshots of links. HF_HUB_CACHE or HF_HOME say where it is. Where links cannot be made (Windows without developer
 * mode), snapshots hold the files themselves, as those of huggingface_hub do.
 */
import { access, copyFile, link, lstat, mkdir, readdir, readFile, rm, stat, symlink } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { getHFHubCachePath, getRepoFolderName } from "@huggingface/hub";
import { fileError, writeFileAtomic } from "../files.ts";

const COMMIT = /^[0-9a-f]{40}$/;

/** A file of a commit: its path in the repository, its size in bytes, and the hash that names its blob. */
export interface CachedFile {
  readonly path: string;
  readonly size: number;
  readonly hash: string;
}

export class ModelCache {
  readonly #folder: string;

  /** name: "owner/name". */
  constructor(name: string) {
    this.#folder = join(getHFHubCachePath(), getRepoFolderName({ type: "model", name }));
  }

  /** The folder of a revision, if it was downloaded and none of its files is gone. */
  async find(revision: string): Promise<string | undefined> {
    const commit = COMMIT.test(revision)
      ? revision
      : (await readFile(this.#ref(revision), "utf8").catch(() => "")).trim();
    if (!COMMIT.test(commit)) return undefined;
    const folder = this.#snapshot(commit);
    const names = await readdir(folder, { recursive: true }).catch(() => undefined);
    const whole = names?.map((name) => access(join(folder, name)));
    return (
      whole &&
      Promise.all(whole).then(
        () => folder,
        () => undefined,
      )
    );
  }

  /** Is the file there, as a blob or in the folder of its commit? */
  async has(commit: string, { path, size, hash }: CachedFile): Promise<boolean> {
    const places = [join(this.#folder, "blobs", hash), join(this.#snapshot(commit), path)];
    const found = await Promise.all(places.map((place) => stat(place).catch(() => undefined)));
    return found.some((status) => status?.size === size);
  }

  /** Where the file with this hash belongs; its folder exists afterwards. */
  async blob(hash: string): Promise<string> {
    const path = join(this.#folder, "blobs", hash);
    await mkdir(dirname(path), { recursive: true }).catch((error: unknown) => {
      throw fileError(error, path);
    });
    return path;
  }

  /** Makes the folder of a commit from files that are there. */
  async link(revision: string, commit: string, files: readonly CachedFile[]): Promise<string> {
    const folder = this.#snapshot(commit);
    try {
      for (const { path, hash } of files) await place(await this.blob(hash), join(folder, path));
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

/** Makes `path` lead to `blob`. A dangling link is replaced. */
async function place(blob: string, path: string): Promise<void> {
  if (await stat(path).catch(() => undefined)) return;
  if (await lstat(path).catch(() => undefined)) await rm(path);
  await mkdir(dirname(path), { recursive: true });
  await symlink(relative(dirname(path), blob), path)
    .catch(() => link(blob, path))
    .catch(() => copyFile(blob, path));
}
