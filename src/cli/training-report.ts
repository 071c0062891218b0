/** `seedling report`: a run folder as one HTML file, or served while the run continues. */
import { join } from "node:path";
import { Command } from "commander";
import { writeFileAtomic } from "../io/files.ts";
import { reportPage } from "../report/page.ts";
import { readRun } from "../report/read-run.ts";
import { watchRun } from "../report/watch.ts";
import { jsonOption, portOption, withExamples } from "./command.ts";
import { interruptible } from "./interrupt.ts";
import { writeJson, writeStdout } from "./output.ts";
import { expectFilePlace } from "./places.ts";
import { Report } from "./report.ts";

interface Options {
  readonly output?: string;
  readonly watch?: boolean;
  readonly port: number;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

export function reportCommand(): Command {
  const command = new Command("report")
    .description("show a training run as one HTML page: curves, samples over time, hours, recipes")
    .argument("<run>", "the run folder")
    .option("-o, --output <file>", "the HTML file to write (default: report.html in the run folder)")
    .option("--watch", "serve the page on this machine and follow the run until Ctrl-C")
    .addOption(portOption(8333))
    .addOption(jsonOption('{"file":"runs/mini/report.html","bytes":812345}, or {"url":...} with --watch'));
  return withExamples(command, [
    ["seedling report runs/mini", "writes runs/mini/report.html"],
    ["seedling report runs/mini --watch", "http://127.0.0.1:8333/, follows the run"],
  ]).action((folder: string, options: Options) => (options.watch ? watch(folder, options) : write(folder, options)));
}

async function write(folder: string, options: Options): Promise<void> {
  const report = new Report(options);
  const run = await readRun(folder);
  const path = options.output ?? join(folder, "report.html");
  await expectFilePlace(path);
  report.doing("drawing the page");
  const page = await reportPage(run);
  await writeFileAtomic(path, page);
  const bytes = Buffer.byteLength(page);
  if (options.json) await writeJson({ file: path, bytes });
  report.wrote(path, bytes);
}

async function watch(folder: string, { port, json }: Options): Promise<void> {
  const watcher = await watchRun(folder, port);
  await (json ? writeJson({ url: watcher.url }) : writeStdout(`${watcher.url}\n`));
  await interruptible((signal) => new Promise<void>((done) => signal.addEventListener("abort", () => done())));
  await watcher.close();
}
