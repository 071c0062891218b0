import { expect, test } from "vitest";
import { InputError } from "../base/errors.ts";
import { BusyError } from "./api-error.ts";
import { BatchQueue } from "./batch-queue.ts";

const later = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

function doubling(batches: number[][], options: { maxWaiting?: number; key?: (job: number) => string } = {}) {
  return new BatchQueue<number, number>({
    run: async (jobs) => {
      batches.push([...jobs]);
      await later(10);
      return jobs.map((job) => 2 * job);
    },
    maxBatch: 3,
    maxWaiting: 100,
    ...options,
  });
}

test("jobs that wait are computed together, up to a limit, each with its own result", async () => {
  const batches: number[][] = [];
  const queue = doubling(batches);
  const results = await Promise.all([1, 2, 3, 4, 5].map((job) => queue.submit(job)));
  expect(results).toEqual([2, 4, 6, 8, 10]);
  expect(batches).toEqual([
    [1, 2, 3],
    [4, 5],
  ]);
});

test("only jobs of one key share a batch, the oldest first", async () => {
  const batches: number[][] = [];
  const queue = doubling(batches, { key: (job) => String(job % 2) });
  await Promise.all([1, 2, 3, 4, 5].map((job) => queue.submit(job)));
  expect(batches).toEqual([
    [1, 3, 5],
    [2, 4],
  ]);
});

test("more than may wait are refused at once, and the others are served", async () => {
  const queue = doubling([], { maxWaiting: 2 });
  const [a, b] = [queue.submit(1), queue.submit(2)];
  await expect(queue.submit(3)).rejects.toThrow(BusyError);
  expect(await Promise.all([a, b])).toEqual([2, 4]);
});

test("a job whose caller leaves is never computed; a running batch is aborted only when all have left", async () => {
  const batches: number[][] = [];
  let aborted = false;
  const queue = new BatchQueue<number, number>({
    run: async (jobs, signal) => {
      batches.push([...jobs]);
      signal.addEventListener("abort", () => {
        aborted = true;
      });
      await later(20);
      return [...jobs];
    },
    maxBatch: 2,
    maxWaiting: 10,
  });
  const [one, two, three] = [new AbortController(), new AbortController(), new AbortController()];
  const jobs = [queue.submit(1, one.signal), queue.submit(2, two.signal), queue.submit(3, three.signal)];
  for (const job of jobs) job.catch(() => {});
  await later(5);
  three.abort(new Error("left"));
  await expect(jobs[2]).rejects.toThrow("left");
  one.abort(new Error("left"));
  await later(1);
  expect(aborted).toBe(false);
  expect(await jobs[1]).toBe(2);
  expect(batches).toEqual([[1, 2]]);
  const alone = new AbortController();
  const last = queue.submit(4, alone.signal);
  last.catch(() => {});
  await later(5);
  alone.abort(new Error("left"));
  await later(1);
  expect(aborted).toBe(true);
});

test("a batch that fails fails for its callers only", async () => {
  let first = true;
  const queue = new BatchQueue<number, number>({
    run: async (jobs) => {
      if (first) {
        first = false;
        throw new Error("worker died");
      }
      return [...jobs];
    },
    maxBatch: 1,
    maxWaiting: 10,
  });
  const [a, b] = [queue.submit(1), queue.submit(2)];
  await expect(a).rejects.toThrow("worker died");
  expect(await b).toBe(2);
});

test("a job that is refused fails alone; a failure of the model fails all that it was computing", async () => {
  const run = async (jobs: readonly number[]): Promise<number[]> => {
    if (jobs.includes(13)) throw new InputError("13: expected another number.");
    if (jobs.includes(99)) throw new Error("the model failed");
    return jobs.map((job) => 2 * job);
  };
  const queue = new BatchQueue<number, number>({ run, maxBatch: 8, maxWaiting: 100 });
  const settled = await Promise.allSettled([1, 2, 13, 4, 5, 13].map((job) => queue.submit(job)));
  expect(settled.map((one) => (one.status === "fulfilled" ? one.value : (one.reason as Error).message))).toEqual([
    ...[2, 4, "13: expected another number.", 8, 10, "13: expected another number."],
  ]);
  const failed = await Promise.allSettled([1, 99].map((job) => queue.submit(job)));
  expect(failed.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
});
