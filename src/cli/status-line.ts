/** The bottom line of a terminal, which shows how far a command is and makes room for everything else that is printed. */

/** What is needed of standard error, so that tests can watch. */
export interface Screen {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
  /** Node's own rule: NO_COLOR, FORCE_COLOR, TERM and what the terminal can do. */
  hasColors?(): boolean;
}

export type Environment = Readonly<Record<string, string | undefined>>;

export class StatusLine {
  readonly screen: Screen;
  /** Whether the line can be drawn over. A dumb terminal and the log of a CI job get plain lines. */
  readonly live: boolean;
  readonly colors: boolean;
  /** Whether the terminal can show block characters. */
  readonly blocks: boolean;
  readonly #timers = new Set<NodeJS.Timeout>();
  #drawn = false;
  #ended = false;

  constructor(screen: Screen, env: Environment = process.env) {
    this.screen = screen;
    this.live = screen.isTTY === true && env.TERM !== "dumb" && !isOn(env.CI);
    this.colors = this.live && screen.hasColors?.() === true;
    this.blocks = process.platform === "win32" || /utf-?8/i.test(env.LC_ALL || env.LC_CTYPE || env.LANG || "");
  }

  get columns(): number {
    return this.screen.columns || 80;
  }

  /** Draws over the line. `text` must be shorter than the terminal is wide. */
  draw(text: string): void {
    if (this.#ended || !this.live) return;
    this.screen.write(`\r${text}\x1b[K`);
    this.#drawn = true;
  }

  /** Removes the line. */
  clear(): void {
    if (this.#drawn) this.screen.write("\r\x1b[K");
    this.#drawn = false;
  }

  /** A line of its own, which stays. On a terminal it begins at the left, whatever another process left there. */
  print(text: string): void {
    this.screen.write(`${this.live ? "\r\x1b[K" : ""}${text}\n`);
    this.#drawn = false;
  }

  /** Calls `tick` again and again until the line ends. @returns what stops it earlier */
  every(ms: number, tick: () => void): () => void {
    const timer = setInterval(tick, ms).unref();
    this.#timers.add(timer);
    return () => {
      clearInterval(timer);
      this.#timers.delete(timer);
    };
  }

  /** Removes the line for good: what follows is the last word of the command. */
  end(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#timers.clear();
    this.clear();
    this.#ended = true;
  }
}

/** The one of this process. Whatever writes to the terminal clears it first. */
export const statusLine = new StatusLine(process.stderr);

/** Whether a variable such as CI is set to something that means yes. */
function isOn(value: string | undefined): boolean {
  return value !== undefined && !["", "0", "false"].includes(value.toLowerCase());
}
