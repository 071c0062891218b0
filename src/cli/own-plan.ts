/** `seedling train recipes/own`: looks at the pictures, shows what will be trained and for how long, then goes on. */
import { UsageError } from "../base/errors.ts";
import { type Chain, ownPictures, planChain } from "../training/index.ts";
import { duration } from "./progress.ts";
import type { Report } from "./report.ts";
import { formatTable } from "./table.ts";
import type { Problems } from "./training-sources.ts";

export interface OwnPlanOptions {
  readonly data?: readonly string[];
  readonly hours?: number;
}

export async function planOwn(
  chain: Chain,
  { data, hours }: OwnPlanOptions,
  problems: Problems,
  report: Report,
): Promise<Chain> {
  if (!data)
    throw new UsageError(`train: expected your own pictures for ${chain.where}, got none. Name them with --data.`);
  report.doing("looking at the pictures");
  const sizes = chain.recipes.find((recipe) => recipe.sizes)?.sizes;
  const size = sizes?.config(1).vision.imageSize ?? 64;
  const pictures = await ownPictures({
    sources: data,
    size,
    onProblem: (message, kind) => problems.add(message, kind),
  });
  const [train, validation] = [pictures.train.count ?? 0, pictures.validation.count ?? 0];
  const same = pictures.validation === pictures.train;
  const planned = planChain(chain, { train, validation: same ? 0 : validation, hours });
  report.clear();
  report.note(
    `${train} pictures to learn from, ${same ? 0 : validation} held out, a codebook of ${planned.codes} codes:`,
  );
  const rows = planned.stages.map(({ name, batch, steps, epochs, minutes }) => [
    name,
    `${steps} steps of ${batch}`,
    `each picture ${epochs < 10 ? epochs.toFixed(1) : Math.round(epochs)} times`,
    duration(minutes * 60),
  ]);
  const total = planned.stages.reduce((sum, { minutes }) => sum + minutes, 0);
  for (const line of formatTable([...rows, ["together", "", "", duration(total * 60)]], "  ")) report.note(line);
  report.note("Times are those of two cores of an AMD EPYC. Ctrl-C saves; the same command continues.");
  return planned.chain;
}
