/** `seedling chat`: a conversation with pictures in and out, in a terminal or through pipes. */
import { existsSync } from "node:fs";
import { createInterface, type Interface } from "node:readline";
import { Command } from "commander";
import { parseChatLine } from "./chat-line.ts";
import { type ChatScreen, ChatSession } from "./chat-session.ts";
import { guidanceOption, jsonOption, stepsOption, withExamples } from "./command.ts";
import { showPicture } from "./inline-picture.ts";
import { Interrupted } from "./interrupt.ts";
import {
  addLanguageOptions,
  addSamplingOptions,
  type LanguageOptions,
  type SamplingOptions,
  samplingOf,
  withLanguageModel,
} from "./language-options.ts";
import { writeJson, writeStdout } from "./output.ts";
import { whole } from "./parsers.ts";
import { expectFolderPlace } from "./places.ts";
import { Report } from "./report.ts";

interface Options extends LanguageOptions, SamplingOptions {
  readonly output: string;
  readonly json?: boolean;
  readonly maxTokens: number;
  readonly steps?: number;
  readonly guidance?: number;
}

export function chatCommand(): Command {
  const command = new Command("chat")
    .description("talk with the model, with pictures in and out")
    .option("-o, --output <folder>", "where drawn pictures go", "chat-pictures")
    .addOption(
      jsonOption('{"text":"a cat","pictures":[{"file":"chat-pictures/picture-1.png","seed":0,"codes":[...]}]}'),
    )
    .option("--max-tokens <n>", "longest reply", whole(1, 100_000), 256)
    .addOption(stepsOption())
    .addOption(guidanceOption());
  return withExamples(
    addLanguageOptions(addSamplingOptions(command, { temperature: 1, topP: 0.5 })),
    [
      ["seedling chat"],
      ["seedling chat --seed 7 -o pictures"],
      ["printf '%s\\n' 'cat.png what is this?' 'draw two cats' | seedling chat"],
    ],
    `In the conversation a path, typed or dragged into the terminal, shows the model a picture; /help lists the commands.
The oldest turns are left out when a conversation becomes too long.`,
  ).action(chat);
}

async function chat(options: Options): Promise<void> {
  const { output, json, maxTokens, steps, guidance } = options;
  const terminal = process.stdin.isTTY === true && process.stdout.isTTY === true && !json;
  const report = new Report(options);
  await expectFolderPlace(output);
  await withLanguageModel(options, async (model) => {
    const onStep = (done: number, total: number): void => report.progress("decoding", done, total, "steps");
    const settings = { ...samplingOf(options), maxTokens, output, onStep, steps, guidanceScale: guidance };
    const screen = json ? jsonScreen(report) : plainScreen(report, terminal);
    const session = new ChatSession(model, { ...settings, seed: options.seed }, screen);
    report.clear();
    if (terminal) report.note("Say something, name a picture, or /help. /quit leaves.");
    await converse(session, report, terminal);
  });
}

function plainScreen(report: Report, terminal: boolean): ChatScreen {
  return {
    say: (text) => {
      report.clear();
      return writeStdout(text);
    },
    show: async (path, png, image) => {
      report.clear();
      if (terminal) await showPicture(image, png, report);
      await writeStdout(`[picture ${path}]\n`);
    },
    done: async () => {},
    note: (line) => report.note(line),
  };
}

function jsonScreen(report: Report): ChatScreen {
  const nothing = async (): Promise<void> => {};
  return { say: nothing, show: nothing, done: writeJson, note: (line) => report.note(line) };
}

/** Line by line until the input ends or /quit; Ctrl-C stops a reply, and twice the conversation. */
async function converse(session: ChatSession, report: Report, terminal: boolean): Promise<void> {
  const lines = createInterface({
    input: process.stdin,
    ...(terminal ? { output: process.stdout, prompt: "> ", historySize: 1000 } : {}),
    terminal,
  });
  const stops = new Stops(lines, terminal);
  let done = 0;
  try {
    if (terminal) lines.prompt();
    for await (const line of lines) {
      const reply = stops.begin();
      try {
        const more = await session.take(parseChatLine(line, { exists: existsSync }), reply);
        done++;
        if (!more) break;
        if (reply.aborted) report.note("(stopped)"); // too late, it had ended
      } catch (error) {
        if (reply.aborted) report.note("\n(stopped; your last message is forgotten)");
        else report.problem(error);
      }
      stops.end();
      if (stops.quit) break;
      if (terminal) lines.prompt();
    }
  } finally {
    stops.close();
    lines.close();
  }
  if (stops.quit) throw stops.quit;
  if (!terminal) report.finish(done);
}

/** What Ctrl-C and other signals do at each moment. */
class Stops {
  quit: Interrupted | undefined;
  readonly #lines: Interface;
  readonly #terminal: boolean;
  #reply: AbortController | undefined;
  /** Ctrl-C was pressed, and no line has come since. */
  #warned = false;

  constructor(lines: Interface, terminal: boolean) {
    this.#lines = lines;
    this.#terminal = terminal;
    // A terminal delivers Ctrl-C to the line that is being typed; elsewhere it is a signal.
    lines.on("SIGINT", this.#interrupt);
    process.on("SIGINT", this.#interrupt);
    process.on("SIGTERM", this.#end);
  }

  /** A signal that aborts the reply that begins now. */
  begin(): AbortSignal {
    if (this.#terminal) this.#warned = false; // a line from a pipe does not mean that somebody read the warning
    this.#reply = new AbortController();
    return this.#reply.signal;
  }

  end(): void {
    this.#reply = undefined;
  }

  close(): void {
    process.off("SIGINT", this.#interrupt);
    process.off("SIGTERM", this.#end);
  }

  readonly #interrupt = (): void => {
    if (this.#warned || !(this.#reply || this.#terminal)) {
      this.#leave(130);
      return;
    }
    this.#warned = true;
    if (this.#reply) {
      this.#reply.abort();
      return;
    }
    process.stderr.write("\n(Ctrl-C again or /quit leaves)\n");
    this.#lines.prompt();
  };

  readonly #end = (): void => this.#leave(143);

  #leave(code: number): void {
    this.quit = new Interrupted(code);
    this.#reply?.abort();
    this.#lines.close();
    process.stdin.destroy();
  }
}
