/** `seedling report`: a run folder as one HTML file, or served while the run goes on. */
import { join } from "node:path";
import { Command } from "commander";
import { writeFileAtomic } from "../io/files.ts";
import { reportPage } from "../report/page.ts";
import { readRun } from "../report/read-run.ts";
import { watchRun } from "../report/watch.ts";
import { interruptible } from "./interrupt.ts";
import { whole } from "./options.ts";

export function reportCommand(): Command {
  return new Command("report")
    .description("Show a run: curves of every stage, samples over time, hours, recipes")
    .argument("<run>", "run folder")
    .option("-o, --output <file>", "HTML file to write (default: report.html in the run folder)")
    .option("--watch", "serve the report on this machine and follow the run until Ctrl-C")
    .option("--port <n>", "port for --watch, 0 for any that is free", whole(0, 65535), 8333)
    .action(async (folder: string, options: { output?: string; watch?: boolean; port: number }) => {
      if (!options.watch) {
        const path = options.output ?? join(folder, "report.html");
        await writeFileAtomic(path, await reportPage(await readRun(folder)));
        process.stdout.write(`${path}\n`);
        return;
      }
      const watcher = await watchRun(folder, options.port);
      process.stdout.write(`${watcher.url}\n`);
      await interruptible((signal) => new Promise<void>((done) => signal.addEventListener("abort", () => done())));
      await watcher.close();
    });
}
