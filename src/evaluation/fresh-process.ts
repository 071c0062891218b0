/** The parent's side of fresh-speed.ts: starts it, sends what to open, waits for its numbers. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { SetupError } from "../base/errors.ts";
import type { RgbImage } from "../image/index.ts";
import type { LoadOptions } from "../image-tokenizer/seed-tokenizer.ts";
import { FRESH_SPEED } from "./fresh-script.ts";
import type { SpeedScores } from "./fresh-speed.ts";

/** The request to the process. */
export interface SpeedRequest {
  readonly folder: string;
  readonly load: Pick<LoadOptions, "device" | "threads">;
  /** At least one; batches of 64 are taken from the front. */
  readonly images: readonly RgbImage[];
}

/** @throws SetupError if the process ends without an answer; it has printed the cause itself. */
export async function speedInFreshProcess(request: SpeedRequest): Promise<SpeedScores> {
  const child = fork(FRESH_SPEED, { serialization: "advanced", execArgv: [] });
  const ended = once(child, "exit").then(([code]: unknown[]) => {
    throw new SetupError(`speed: expected numbers of a fresh process, but it ended with exit code ${code}.`);
  });
  const answer = once(child, "message");
  child.send(request);
  try {
    return (await Promise.race([answer, ended]))[0] as SpeedScores;
  } finally {
    ended.catch(() => {}); // it may end now
    child.kill();
  }
}
