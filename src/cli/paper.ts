/** `seedling paper`: the papers' tables from the committed results of twins, as Markdown and as one HTML file. */
import { dirname } from "node:path";
import { Command } from "commander";
import { paperHtml, paperMarkdown, paperView, readArms, readDiscussions, summary } from "../evaluation/paper/index.ts";
import { writeFileAtomic } from "../io/files.ts";
import { withExamples } from "./command.ts";
import { expectFilePlace } from "./places.ts";
import { plural, Report } from "./report.ts";

interface Options {
  readonly arms: string;
  readonly output: string;
  readonly html?: string;
  readonly quiet?: boolean;
}

export function paperCommand(): Command {
  const command = new Command("paper")
    .description(
      "print the papers' tables as ratios of twins, with floors, intervals and a computed verdict of each claim",
    )
    .option("--arms <folder>", "JSON files of arms, and discussion/<claim>.md", "docs/paper")
    .option("-o, --output <file>", "the Markdown to write", "docs/paper.md")
    .option("--html <file>", "the HTML to write (default: beside the Markdown)");
  return withExamples(command, [
    ["seedling paper", "docs/paper.md and docs/paper.html from docs/paper/"],
    ["seedling paper --arms results -o results/paper.md"],
  ]).action((options: Options) => writePaper(options));
}

/** Writes both files. */
export async function writePaper(
  { arms: folder, output, html = `${output.replace(/\.md$/i, "")}.html`, quiet }: Options,
  report = new Report({ quiet }),
): Promise<void> {
  await expectFilePlace(output);
  await expectFilePlace(html);
  const arms = await readArms(folder);
  if (arms.length === 0) report.warn(`${folder}: no JSON of an arm was found: every table says "not run".`);
  const discussions = await readDiscussions(folder);
  const view = paperView(arms);
  const markdown = paperMarkdown(view, { folder: dirname(output), discussions, command: "seedling paper" });
  const page = await paperHtml(view, { discussions });
  await writeFileAtomic(output, `${markdown.trimEnd()}\n`);
  await writeFileAtomic(html, page);
  report.note(`${plural(arms.length, "arm")}. ${summary(view.claims)}`);
  report.wrote(output, markdown.length);
  report.wrote(html, page.length);
}
