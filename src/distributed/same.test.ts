import { expect, test } from "vitest";
import { memoryRanks } from "../../test/train/memory-ranks.ts";
import { alone, firstThenOthers, fromFirst, gatherTexts } from "./communicator.ts";
import { expectSameOnRanks } from "./same.ts";

const onRanks = <T>(size: number, work: (ranks: ReturnType<typeof memoryRanks>[number]) => Promise<T>): Promise<T[]> =>
  Promise.all(memoryRanks(size).map(work));

test("a difference is named on every rank, and one that another rank lacks is one too", async () => {
  const refused = onRanks(3, async (ranks) => {
    const now = { recipe: "a", ...(ranks.rank === 2 && { weights: "b" }) };
    return expectSameOnRanks(ranks, "clip", now).catch((error: Error) => error.message);
  });
  for (const message of await refused)
    expect(message).toMatch(
      /^clip: expected the same weights on all ranks, got another on rank 2 \(.+\)\. Give all ranks the same files/,
    );
  await onRanks(2, (ranks) => expectSameOnRanks(ranks, "clip", { recipe: "a" }));
  await expectSameOnRanks(alone, "clip", { recipe: "a" });
});

test("texts of any length and the values of the first rank reach all", async () => {
  expect(await onRanks(3, (ranks) => gatherTexts(ranks, "é".repeat(ranks.rank)))).toEqual(
    Array(3).fill(["", "é", "éé"]),
  );
  const given = await onRanks(2, (ranks) => fromFirst(ranks, Float32Array.of(ranks.rank + 0.1)));
  expect(given).toEqual([Float32Array.of(0.1), Float32Array.of(0.1)]);
});

test("the others begin when the first is done", async () => {
  const order: string[] = [];
  await onRanks(2, (ranks) =>
    firstThenOthers(ranks, async () => {
      order.push(`${ranks.rank} begins`);
      await new Promise((resolve) => setTimeout(resolve, 20));
      order.push(`${ranks.rank} ends`);
    }),
  );
  expect(order).toEqual(["0 begins", "0 ends", "1 begins", "1 ends"]);
});
