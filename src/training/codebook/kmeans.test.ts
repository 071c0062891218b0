import { expect, test } from "vitest";
import { Rng } from "../../base/rng.ts";
import { kmeans } from "./kmeans.ts";

test("k-means stops soon after a signal, and tells how far it is", async () => {
  const rng = new Rng(1);
  const rows = rng.fillNormal(new Float32Array(20_000 * 32));
  const stop = new AbortController();
  const rounds: (number | undefined)[] = [];
  setTimeout(() => stop.abort(new Error("stopped")), 100);
  const began = performance.now();
  const running = kmeans(
    rows,
    { width: 32, centers: 4000, rounds: 1000, rng }, // minutes
    { signal: stop.signal, onProgress: (_, done) => rounds.push(done) },
  );
  await expect(running).rejects.toThrow("stopped");
  expect(performance.now() - began).toBeLessThan(5000); // of a busy machine
  expect(rounds[0]).toBe(0);
});
