import { afterAll, expect, test } from "vitest";
import { Rng } from "../../base/rng.ts";
import { Runtime } from "../../runtime/index.ts";
import { kmeans } from "./kmeans.ts";

const runtime = new Runtime({ threads: 1 });
afterAll(() => runtime.close());

test("k-means finds the means of groups of rows, also where the last piece is not full", async () => {
  const rng = new Rng(1);
  const n = 3001; // a piece has 4,194,304 / 1,500 rows
  const groups = rng.fillNormal(new Float32Array(3 * 8)).map((x) => x * 20);
  const rows = Float32Array.from(
    { length: n * 8 },
    (_, at) => groups[(Math.floor(at / 8) % 3) * 8 + (at % 8)]! + rng.normal(),
  );
  const centers = await kmeans(rows, { width: 8, centers: 1500, rounds: 2, rng: new Rng(2), runtime });
  expect(centers.length).toBe(1500 * 8);
  // A mean of rows of one group lies within it; one of several would lie between them.
  for (let c = 0; c < 1500; c++) {
    const away = [0, 1, 2].map((g) =>
      Math.hypot(...groups.subarray(g * 8, g * 8 + 8).map((x, d) => x - centers[c * 8 + d]!)),
    );
    expect(Math.min(...away)).toBeLessThan(8);
  }
});

test("a center is the mean of its rows", async () => {
  const rows = Float32Array.of(0, 0, 2, 0, 10, 10, 12, 10, -10, 4, -10, 6);
  const found = await kmeans(rows, { width: 2, centers: 3, rounds: 12, rng: new Rng(5), runtime });
  const sorted = Array.from({ length: 3 }, (_, c) => [...found.subarray(2 * c, 2 * c + 2)]).sort(
    ([a = 0], [b = 0]) => a - b,
  );
  expect(sorted).toEqual([
    [-10, 5],
    [1, 0],
    [11, 10],
  ]);
});

test("k-means stops soon after a signal, and tells how far it is", async () => {
  const rows = new Rng(1).fillNormal(new Float32Array(20_000 * 32));
  const stop = new AbortController();
  const rounds: (number | undefined)[] = [];
  const running = kmeans(
    rows,
    { width: 32, centers: 4000, rounds: 100_000, rng: new Rng(1), runtime }, // hours
    {
      signal: stop.signal,
      onProgress: (_, done) => {
        rounds.push(done);
        if (done === 1) stop.abort(new Error("stopped"));
      },
    },
  );
  await expect(running).rejects.toThrow("stopped");
  expect(rounds).toEqual([0, 1]);
});
