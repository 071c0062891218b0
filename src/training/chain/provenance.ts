/** Where and from what something was trained. */
import { execFile } from "node:child_process";
import { arch, cpus, platform, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { readJsonFile } from "../../io/json-file.ts";

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly system: string;
}

export function machine(): Machine {
  const all = cpus();
  const memoryGb = Math.round(totalmem() / 1e9);
  return { cpu: all[0]?.model.trim() ?? "unknown", cores: all.length, memoryGb, system: `${platform()} ${arch()}` };
}

const PACKAGE = new URL("../../../", import.meta.url);

/** The commit of Seedling's repository, with a "+" if files were changed since; the version where it is installed as a package. */
export async function commit(): Promise<string> {
  const cwd = fileURLToPath(PACKAGE);
  const git = async (...args: string[]): Promise<string> =>
    (await promisify(execFile)("git", args, { cwd })).stdout.trim();
  try {
    // As a package it is in somebody else's repository.
    if ((await git("rev-parse", "--show-prefix")) !== "") throw new Error("not a repository of its own");
    const [hash, changed] = [
      await git("rev-parse", "HEAD"),
      await git("status", "--porcelain", "--untracked-files=no"),
    ];
    return changed === "" ? hash : `${hash}+`;
  } catch {
    const { version } = (await readJsonFile(fileURLToPath(new URL("package.json", PACKAGE)))) as { version: string };
    return `v${version}`;
  }
}
