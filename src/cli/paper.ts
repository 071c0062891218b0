/** `seedling paper`: the papers' tables from the committed results of twins, as Markdown and as one HTML file. */
import { dirname } from "node:path";
import { Command } from "commander";
import { paperHtml, paperMarkdown, paperView, readArms, readDiscussions, summary } from "../evaluation/paper/index.ts";
import { writeFileAtomic } from "../io/files.ts";
import { jsonOption, withExamples } from "./command.ts";
import { writeJson } from "./output.ts";
import { expectFilePlace } from "./places.ts";
import { plural, Report } from "./report.ts";

interface Options {
  readonly arms: string;
  readonly output: string;
  readonly html?: string;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

export function paperCommand(): Command {
  const command = new Command("paper")
    .description(
      "print the papers' tables as ratios of twins, with floors, intervals and a computed verdict of each claim",
    )
    .option("--arms <folder>", "JSON files of arms, and discussion/<claim>.md", "docs/paper")
    .option("-o, --output <file>", "the Markdown to write", "docs/paper.md")
    .option("--html <file>", "the HTML to write (default: next to the Markdown)")
    .addOption(jsonOption('{"claim":"causal-mask","verdict":"reproduced","goal":"reached"}, and the files'));
  return withExamples(command, [
    ["seedling paper", "docs/paper.md and docs/paper.html from docs/paper/"],
    ["seedling paper --arms results -o results/paper.md"],
  ]).action((options: Options) => writePaper(options));
}

/** Writes both files. */
export async function writePaper(
  { arms: folder, output, html = `${output.replace(/\.md$/i, "")}.html`, quiet, json }: Options,
  report = new Report({ quiet, json }),
): Promise<void> {
  await expectFilePlace(output);
  await expectFilePlace(html);
  const arms = await readArms(folder);
  if (arms.length === 0) report.warn(`${folder}: no JSON of an arm was found: every table says "not run".`);
  const discussions = await readDiscussions(folder);
  const view = paperView(arms);
  const text = paperMarkdown(view, { folder: dirname(output), discussions, command: "seedling paper" });
  const markdown = `${text.trimEnd()}\n`;
  const page = await paperHtml(view, { discussions });
  await writeFileAtomic(output, markdown);
  await writeFileAtomic(html, page);
  const files = [
    { file: output, bytes: Buffer.byteLength(markdown) },
    { file: html, bytes: Buffer.byteLength(page) },
  ];
  if (json) {
    for (const { claim, verdict, goal } of view.claims) await writeJson({ claim: claim.id, verdict, goal });
    for (const file of files) await writeJson(file);
  }
  report.note(`${plural(arms.length, "arm")}. ${summary(view.claims)}`);
  for (const { file, bytes } of files) report.wrote(file, bytes);
}
