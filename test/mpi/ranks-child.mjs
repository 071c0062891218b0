/** One rank: exchanges with the others what every one of them can check. Prints a line on the first. */
import { built } from "../built.mjs";

const { launched } = await built("distributed/launch.js");
const { MpiRanks } = await built("distributed/mpi-ranks.js");
const { fromFirst, gatherTexts } = await built("distributed/communicator.js");

const ranks = await MpiRanks.join(launched(process.env));
const { rank, size } = ranks;

const sums = Float32Array.from({ length: 100_003 }, (_, i) => i * 10 ** rank);
await ranks.sum(sums);
const wanted = Array.from({ length: size }, (_, r) => 10 ** r).reduce((a, b) => a + b);
const wrong = sums.findIndex((x, i) => Math.abs(x - i * wanted) > 1e-6 * i * wanted);

const texts = await gatherTexts(ranks, `${"x".repeat(rank * 7)}é${rank}`);
const given = await fromFirst(ranks, Float32Array.of(rank + 1, -0.5));

// The others wait while rank 0 works, and their event loops turn.
let ticks = 0;
const timer = setInterval(() => ticks++, 10);
if (rank === 0) await new Promise((resolve) => setTimeout(resolve, 500));
await ranks.barrier();
clearInterval(timer);
const turned = await gatherTexts(ranks, String(ticks));

if (rank === 0) console.log(JSON.stringify({ size, version: ranks.version, wrong, texts, given: [...given], turned }));
await ranks.leave();
