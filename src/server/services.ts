/** What the routes share. */
import type { Context } from "hono";
import type { RgbImage } from "../image/index.ts";
import type { ModelPool } from "./model-pool.ts";
import type { PictureLimits } from "./pictures.ts";
import { requestScope } from "./request-scope.ts";

export interface Services {
  readonly pool: ModelPool;
  readonly pictures: PictureLimits;
  /** Milliseconds for one request, 0 for no limit. */
  readonly deadlineMs: number;
  /** Writes a PNG file. */
  readonly png: (image: RgbImage) => Promise<Uint8Array>;
  /** Takes errors of requests that were already answered. */
  readonly onError: (error: unknown) => void;
}

/** Runs the work of a request, which ends when the client leaves or the deadline passes. */
export async function scoped<T>(
  c: Context,
  { deadlineMs }: Services,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const scope = requestScope(c, deadlineMs);
  try {
    return await work(scope.signal);
  } finally {
    scope.end();
  }
}

export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}

export function now(): number {
  return Math.floor(Date.now() / 1000);
}
