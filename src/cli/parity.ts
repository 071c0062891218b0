/** `seedling parity`: do our models compute the numbers of the official modules? */
import { Command } from "commander";
import { checkParity, formatParity } from "../evaluation/parity/parity.ts";
import { jsonOption, withExamples } from "./command.ts";
import { writeStdout } from "./output.ts";
import { Report } from "./report.ts";

interface Options {
  readonly json?: boolean;
  readonly failures?: boolean;
  readonly quiet?: boolean;
}

export function parityCommand(): Command {
  const command = new Command("parity")
    .description("compare every stage with recorded outputs of the official modules; exits with 1 if one differs")
    .argument("<folder>", "a fixture: config.json, model.safetensors or model.pt, io.safetensors")
    .addOption(jsonOption('{"name":"v1/codes","holds":true,...}'))
    .option("--failures", "only the comparisons that do not hold");
  return withExamples(command, [
    ["seedling parity test/fixtures/tiny-a", "comes with the repository"],
    ["seedling parity test/fixtures/tiny-a --failures --json"],
  ]).action(async (folder: string, options: Options) => {
    const report = new Report(options);
    report.doing(`computing what ${folder} records`);
    const result = await checkParity(folder);
    report.clear();
    const lines = options.failures ? result.lines.filter(({ holds }) => !holds) : result.lines;
    const text = options.json ? lines.map((line) => JSON.stringify(line)) : formatParity(result, lines);
    await writeStdout(text.map((line) => `${line}\n`).join(""));
    if (!result.holds) process.exitCode = 1;
  });
}
