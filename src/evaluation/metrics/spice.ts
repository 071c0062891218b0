/**
 * SPICE of captions (Anderson et al. 2016). It needs a parser that exists in Java only, so this calls the published jar,
 * spice-1.0.jar with its lib/ folder, which holds Stanford's CoreNLP 3.6.0 and its models.
 */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { InputError, SetupError } from "../../base/errors.ts";
import { reason } from "../../base/one-line.ts";
import { exists } from "../../io/files.ts";
import { type CaptionPair, type CaptionScores, expectPairs, mean } from "./caption-pairs.ts";

export interface SpiceOptions {
  /** Path of spice-1.0.jar. */
  readonly jar: string;
  /** Default "java", as found on the PATH. */
  readonly java?: string;
  readonly signal?: AbortSignal;
}

const run = promisify(execFile);

/**
 * Scores are F1 of scene graphs, 0..1. A caption without any tuple, which the jar scores NaN, counts 0.
 * @throws SetupError if the jar, Java or CoreNLP is missing, or the jar fails; InputError if its answer is not understood
 */
export async function spice(
  pairs: readonly CaptionPair[],
  { jar, java = "java", signal }: SpiceOptions,
): Promise<CaptionScores> {
  expectPairs(pairs);
  if (!(await exists(jar)))
    throw new SetupError(
      `${jar}: expected spice-1.0.jar, found nothing. Get SPICE-1.0.zip from its authors and name its jar.`,
    );
  const folder = await mkdtemp(join(tmpdir(), "seedling-spice-"));
  try {
    const [input, output] = [join(folder, "in.json"), join(folder, "out.json")];
    const items = pairs.map(({ candidate, references }, id) => ({ image_id: id, test: candidate, refs: references }));
    await writeFile(input, JSON.stringify(items));
    const args = ["-jar", "-Xmx8G", basename(jar), input, "-out", output, "-subset", "-silent"];
    await run(java, args, { cwd: dirname(jar), signal, maxBuffer: 2 ** 26 }).catch((cause: unknown) => {
      signal?.throwIfAborted();
      throw explained(cause, jar, java);
    });
    const each = scoresOf(await readFile(output, "utf8"), pairs.length, jar);
    return { score: mean(each), each };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function explained(cause: unknown, jar: string, java: string): SetupError {
  const { code, stderr = "" } = cause as { readonly code?: unknown; readonly stderr?: string };
  if (code === "ENOENT")
    return new SetupError(`${java}: expected Java for SPICE, found none. Install a Java runtime.`, { cause });
  const line = stderr.split("\n").find((text) => /exception|error/i.test(text)) ?? reason(cause);
  const fix = /NoClassDefFound|ClassNotFound/.test(stderr)
    ? "Put stanford-corenlp-3.6.0.jar and its models into lib/ next to the jar."
    : "Does it run by itself?";
  return new SetupError(`${jar}: expected SPICE scores, got ${line.trim().slice(0, 160)}. ${fix}`, { cause });
}

function scoresOf(text: string, count: number, jar: string): number[] {
  try {
    const items = JSON.parse(text) as {
      readonly image_id: number;
      readonly scores: { readonly All: { readonly f: unknown } };
    }[];
    const byId = new Map(items.map(({ image_id, scores }) => [image_id, Number(scores.All.f)]));
    if (byId.size !== count) throw new Error(`${byId.size} scores`);
    return Array.from({ length: count }, (_, id) => byId.get(id) || 0);
  } catch (cause) {
    throw new InputError(`${jar}: expected ${count} SPICE scores, got ${reason(cause)}. Is it version 1.0?`, { cause });
  }
}
