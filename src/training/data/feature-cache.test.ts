import { mkdtemp, readdir, readlink, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { cacheFeatures } from "./feature-cache.ts";
import type { Pictures } from "./pictures.ts";

const COUNT = 4100; // three shards
const image = { width: 1, height: 1, data: new Uint8Array(3) };
const pictures: Pictures = { identity: "dots", get: (index) => ({ image, caption: `dot ${index}` }) };

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "seedling-features-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Features of a picture: its number, as the caption has it, and the half of it. */
function cached(options: { signal?: AbortSignal; onCompute?: (first: string) => void }) {
  return cacheFeatures({
    ...{ folder, pictures, count: COUNT, key: "toy", ...(options.signal && { signal: options.signal }) },
    compute: async (chunk) => {
      options.onCompute?.(chunk[0]!.caption);
      const data = Float32Array.from(chunk.flatMap(({ caption }) => [Number(caption.slice(4)) % 64, 0.5]));
      return { numbers: { shape: [chunk.length, 2], data } };
    },
  });
}

/** Files below the folder that this process holds open, where the system tells. */
async function openFiles(): Promise<number | undefined> {
  const own = await readdir("/proc/self/fd").catch(() => undefined);
  if (!own) return undefined;
  const targets = await Promise.all(own.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => "")));
  return targets.filter((target) => target.startsWith(folder)).length;
}

test("interrupted, it closes what it opened; continued, it computes only what is missing", async () => {
  const stop = new AbortController();
  const onCompute = (first: string): void => {
    if (first === "dot 2500") stop.abort();
  };
  await expect(cached({ signal: stop.signal, onCompute })).rejects.toThrow(/abort/i);
  expect((await openFiles()) ?? 0).toBe(0);

  const computed: string[] = [];
  const cache = await cached({ onCompute: (first) => computed.push(first) });
  expect([computed[0], computed.length]).toEqual(["dot 2000", 21]);
  const { values, captions } = await cache.batch([0, 2501, 4099]);
  expect(captions).toEqual(["dot 0", "dot 2501", "dot 4099"]);
  expect([...values["numbers"]!.data]).toEqual([0, 0.5, 2501 % 64, 0.5, 4099 % 64, 0.5]);
  await cache.close();
  expect((await openFiles()) ?? 0).toBe(0);
});
