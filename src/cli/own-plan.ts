/** `seedling train recipes/own`: looks at the pictures, prints what will be trained and for how long, then continues. */
import { UsageError } from "../base/errors.ts";
import { type Chain, planChain, plannedStages, type TrainingData, triedChain } from "../training/index.ts";
import { duration } from "./progress.ts";
import { plural, type Report } from "./report.ts";
import { formatTable } from "./table.ts";

export interface OwnPlanOptions {
  readonly hours?: number;
  readonly scale?: number;
  readonly steps?: number;
}

/** @param pictures opens them at a size; undefined if none were named */
export async function planOwn(
  chain: Chain,
  pictures: ((size: number) => Promise<TrainingData>) | undefined,
  options: OwnPlanOptions,
  report: Report,
): Promise<Chain> {
  if (!pictures)
    throw new UsageError(`train: expected your own pictures for ${chain.where}, got none. Name them with --data.`);
  report.doing("looking at the pictures");
  const sizes = chain.recipes.find((recipe) => recipe.sizes)?.sizes;
  const own = await pictures(sizes?.config(1).vision.imageSize ?? 64);
  const train = own.train.count ?? 0;
  const validation = own.validation === own.train ? 0 : (own.validation.count ?? 0);
  const planned = planChain(chain, { train, validation, hours: options.hours });
  const tried = triedChain(planned.chain, options);
  report.clear();
  report.note(`${train} pictures to learn from, ${validation} held out, a codebook of ${planned.codes} codes:`);
  const stages = plannedStages(tried, train);
  const rows = stages.map(({ name, batch, steps, epochs, minutes }) => [
    name,
    `${plural(steps, "step")} of ${batch}`,
    `each picture ${epochs < 10 ? epochs.toFixed(1) : Math.round(epochs)} times`,
    duration(minutes * 60),
  ]);
  const total = stages.reduce((sum, { minutes }) => sum + minutes, 0);
  for (const line of formatTable([...rows, ["together", "", "", duration(total * 60)]], "  ")) report.note(line);
  report.note("Times are for two cores of an AMD EPYC. Ctrl-C saves; the same command continues.");
  return tried;
}
