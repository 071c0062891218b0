/** The tree of commands, and what all of them have in common. */
import { Command } from "commander";
import { VERSION } from "../base/version.ts";
import { addQuiet, debugOption, withExamples } from "./command.ts";

/** The module of a command is loaded when it is needed, as training, evaluation and the server take long to load. */
type Load = () => Promise<() => Command>;

/** Commands as `seedling --help` lists them. */
const GROUPS: readonly (readonly [heading: string, commands: Readonly<Record<string, Load>>])[] = [
  [
    "Pictures and codes:",
    {
      demo: async () => (await import("./demo.ts")).demoCommand,
      tokenize: async () => (await import("./tokenize.ts")).tokenizeCommand,
      detokenize: async () => (await import("./detokenize.ts")).detokenizeCommand,
      reconstruct: async () => (await import("./reconstruct.ts")).reconstructCommand,
    },
  ],
  [
    "Pictures and words:",
    {
      describe: async () => (await import("./describe.ts")).describeCommand,
      ask: async () => (await import("./ask.ts")).askCommand,
      draw: async () => (await import("./draw.ts")).drawCommand,
      chat: async () => (await import("./chat.ts")).chatCommand,
      serve: async () => (await import("./serve.ts")).serveCommand,
    },
  ],
  [
    "Search:",
    {
      index: async () => (await import("./index-pictures.ts")).indexCommand,
      search: async () => (await import("./search.ts")).searchCommand,
    },
  ],
  [
    "Training:",
    {
      recipes: async () => (await import("./recipes.ts")).recipesCommand,
      data: async () => (await import("./data.ts")).dataCommand,
      train: async () => (await import("./train.ts")).trainCommand,
      report: async () => (await import("./training-report.ts")).reportCommand,
      assemble: async () => (await import("./assemble.ts")).assembleCommand,
      disassemble: async () => (await import("./disassemble.ts")).disassembleCommand,
    },
  ],
  [
    "Measuring:",
    {
      eval: async () => (await import("./eval.ts")).evalCommand,
      paper: async () => (await import("./paper.ts")).paperCommand,
      parity: async () => (await import("./parity.ts")).parityCommand,
    },
  ],
  [
    "Model files:",
    {
      inspect: async () => (await import("./inspect.ts")).inspectCommand,
      import: async () => (await import("./import.ts")).importCommand,
      export: async () => (await import("./export.ts")).exportCommand,
      quantize: async () => (await import("./quantize.ts")).quantizeCommand,
    },
  ],
  [
    "Other commands:",
    {
      completion: async () => (await import("./completion/completion.ts")).completionCommand,
    },
  ],
];

/** Commands that describe the others. */
const NEEDS_ALL = new Set(["completion"]);
/** What is answered without any command. */
const NEEDS_NONE = new Set(["-V", "--version"]);

const EXIT_CODES = `Exit codes:
  0    done
  1    a bug, or a bound that was missed (parity, train with an expected score)
  2    wrong usage: an option or argument that makes no sense
  3    bad input: what you named is missing, empty or damaged, all of it or in part
  4    bad set-up: an incomplete installation or model folder, no permission, space, memory or network
  130  interrupted by Ctrl-C (143: by SIGTERM)`;

/**
 * The command line. `parseAsync` throws what went wrong, CommanderError for wrong usage.
 * @param only name of the command that will run: the others are left out, which saves half the time that starting takes.
 * If there is no such command, all are there.
 */
export async function program(only?: string): Promise<Command> {
  const root = new Command("seedling")
    .description("pictures to 32 causal codes and back, and a language model that reads and writes them (SEED)")
    .version(VERSION, "-V, --version", "print the version")
    .addHelpCommand(
      new Command("help").argument("[command]").description("show the help of a command").helpGroup("Other commands:"),
    )
    .configureHelp({ subcommandTerm: (command) => `${command.name()} ${command.usage().replace("[options] ", "")}` });
  const all = GROUPS.flatMap(([heading, commands]) =>
    Object.entries(commands).map((entry) => [heading, ...entry] as const),
  );
  const one = all.filter(([, name]) => name === only && !NEEDS_ALL.has(name));
  const needed = NEEDS_NONE.has(only ?? "") ? [] : one.length > 0 ? one : all;
  for (const [heading, , load] of needed) root.addCommand((await load())().helpGroup(heading));
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
    .configureOutput({ outputError: () => {} }); // printed by run-program.ts, like every error
}
