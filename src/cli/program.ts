/** The tree of commands, and what all of them have in common. */
import { Command } from "commander";
import { VERSION } from "../base/version.ts";
import { askCommand } from "./ask.ts";
import { assembleCommand } from "./assemble.ts";
import { chatCommand } from "./chat.ts";
import { addQuiet, debugOption, withExamples } from "./command.ts";
import { completionCommand } from "./completion/completion.ts";
import { dataCommand } from "./data.ts";
import { demoCommand } from "./demo.ts";
import { describeCommand } from "./describe.ts";
import { detokenizeCommand } from "./detokenize.ts";
import { disassembleCommand } from "./disassemble.ts";
import { drawCommand } from "./draw.ts";
import { evalCommand } from "./eval.ts";
import { exportCommand } from "./export.ts";
import { importCommand } from "./import.ts";
import { indexCommand } from "./index-pictures.ts";
import { inspectCommand } from "./inspect.ts";
import { parityCommand } from "./parity.ts";
import { quantizeCommand } from "./quantize.ts";
import { recipesCommand } from "./recipes.ts";
import { reconstructCommand } from "./reconstruct.ts";
import { searchCommand } from "./search.ts";
import { serveCommand } from "./serve.ts";
import { tokenizeCommand } from "./tokenize.ts";
import { trainCommand } from "./train.ts";
import { reportCommand } from "./training-report.ts";

/** Commands as `seedling --help` lists them. */
const GROUPS: readonly (readonly [heading: string, ...commands: (() => Command)[]])[] = [
  ["Pictures and codes:", demoCommand, tokenizeCommand, detokenizeCommand, reconstructCommand],
  ["Pictures and words:", describeCommand, askCommand, drawCommand, chatCommand, serveCommand],
  ["Search:", indexCommand, searchCommand],
  ["Training:", recipesCommand, dataCommand, trainCommand, reportCommand, assembleCommand, disassembleCommand],
  ["Measuring:", evalCommand, parityCommand],
  ["Model files:", inspectCommand, importCommand, exportCommand, quantizeCommand],
  ["Other commands:", completionCommand],
];

const EXIT_CODES = `Exit codes:
  0    done
  1    a bug, or a bound that was missed (parity, train with an expected score)
  2    wrong usage: an option or argument that makes no sense
  3    bad input: what you named is missing, empty or damaged, all of it or in part
  4    bad set-up: an incomplete installation or model folder, no permission, space, memory or network
  130  interrupted by Ctrl-C (143: by SIGTERM)`;

/** The whole command line. `parseAsync` throws what went wrong, CommanderError for wrong usage. */
export function program(): Command {
  const root = new Command("seedling")
    .description("pictures to 32 causal codes and back, and a language model that reads and writes them (SEED)")
    .version(VERSION, "-V, --version", "print the version")
    .addHelpCommand(
      new Command("help").argument("[command]").description("show the help of a command").helpGroup("Other commands:"),
    )
    .configureHelp({ subcommandTerm: (command) => `${command.name()} ${command.usage().replace("[options] ", "")}` });
  for (const [heading, ...commands] of GROUPS) for (const make of commands) root.addCommand(make().helpGroup(heading));
  withExamples(
    root,
    [
      ["seedling demo"],
      ["seedling tokenize cat.jpg"],
      ["seedling reconstruct photos/ -o sheet.png"],
      ["seedling describe cat.jpg"],
      ['seedling draw "two red apples above a blue car" -o out.png'],
    ],
    EXIT_CODES,
  );
  for (const command of walk(root)) share(command);
  return root;
}

/** A command and all below it. */
export function* walk(command: Command): Generator<Command> {
  yield command;
  for (const below of command.commands) yield* walk(below);
}

function share(command: Command): void {
  addQuiet(command);
  command
    .addOption(debugOption())
    .helpOption("-h, --help", "show this help")
    .exitOverride()
    .configureOutput({ outputError: () => {} }); // printed by main.ts, like every error
}
