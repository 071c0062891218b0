/** `seedling parity FOLDER`: do our models compute the numbers of the official modules? */
import { Command } from "commander";
import { checkParity, formatParity } from "../evaluation/parity/parity.ts";

export function parityCommand(): Command {
  return new Command("parity")
    .description("compare every stage with the official modules' recorded outputs; exits 0 only if all hold")
    .argument("<folder>", "fixture: config.json, model.safetensors (or model.pt), io.safetensors")
    .option("--json", "one JSON object a tensor")
    .option("--failures", "only the lines that do not hold, and the summary")
    .action(async (folder: string, options: { json?: boolean; failures?: boolean }) => {
      const report = await checkParity(folder);
      const lines = options.failures ? report.lines.filter(({ holds }) => !holds) : report.lines;
      const text = options.json ? lines.map((line) => JSON.stringify(line)) : formatParity(report, lines);
      for (const line of text) console.log(line);
      if (!report.holds) process.exitCode = 1;
    });
}
