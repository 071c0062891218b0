/** Pictures within a terminal: kitty's graphics protocol and iTerm2's, and colored characters everywhere else. */
import type { RgbImage } from "../image/index.ts";
import { halfBlocks } from "./half-blocks.ts";
import { writeStdout } from "./output.ts";
import type { Report } from "./report.ts";
import type { Environment } from "./status-line.ts";

/** Columns that a small picture takes, and pixels of a larger one in a column. */
const [SMALL_COLUMNS, COLUMN_PIXELS] = [24, 8];
/** A picture of at most this width is a small one, px. */
const SMALL = 128;
/** Lines that are left free around a picture of characters. */
const FREE_LINES = 4;
/** Bytes of base64 in one of kitty's commands. */
const KITTY_PIECE = 4096;

export interface Terminal {
  readonly columns?: number;
  readonly rows?: number;
  /** Bits, as Node finds out: 1 without colors, which NO_COLOR asks for. */
  getColorDepth(): number;
}

/** What shows the picture when it is written to the terminal, or undefined if nothing can. `png`: the same, encoded. */
export function inlinePicture(
  image: RgbImage,
  png: Uint8Array,
  env: Environment,
  terminal: Terminal,
): string | undefined {
  const [columns, rows] = [(terminal.columns || 80) - 1, terminal.rows || 24];
  const protocol = protocolOf(env);
  if (protocol) {
    const data = Buffer.from(png).toString("base64");
    const width = image.width <= SMALL ? SMALL_COLUMNS : Math.ceil(image.width / COLUMN_PIXELS);
    return PROTOCOLS[protocol](data, png.length, Math.min(width, columns));
  }
  const depth = terminal.getColorDepth();
  return depth === 8 || depth === 24 ? halfBlocks(image, columns, Math.max(4, rows - FREE_LINES), depth) : undefined;
}

const PROTOCOLS = {
  iterm2: (data: string, bytes: number, columns: number) =>
    `\x1b]1337;File=inline=1;size=${bytes};width=${columns};preserveAspectRatio=1:${data}\x07\n`,
  kitty(data: string, _: number, columns: number) {
    const pieces = data.match(new RegExp(`.{1,${KITTY_PIECE}}`, "g")) ?? [];
    const commands = pieces.map((piece, i) => {
      const first = i === 0 ? `f=100,a=T,q=2,c=${columns},` : "";
      return `\x1b_G${first}m=${i < pieces.length - 1 ? 1 : 0};${piece}\x1b\\`;
    });
    return `${commands.join("")}\n`;
  },
} as const;

/** A terminal inside tmux or screen does not pass graphics on. */
function protocolOf(env: Environment): keyof typeof PROTOCOLS | undefined {
  const { TERM = "", TERM_PROGRAM = "", LC_TERMINAL = "", KITTY_WINDOW_ID, TMUX } = env;
  if (TMUX || /^(screen|tmux)/.test(TERM)) return undefined;
  if (KITTY_WINDOW_ID || TERM === "xterm-kitty" || TERM === "xterm-ghostty" || TERM_PROGRAM === "ghostty")
    return "kitty";
  if (["iTerm.app", "WezTerm", "mintty"].includes(TERM_PROGRAM) || LC_TERMINAL === "iTerm2") return "iterm2";
  return undefined;
}

/** Shows the picture if standard output is a terminal, and neither --quiet nor --json is set. */
export async function showPicture(image: RgbImage, png: Uint8Array, report: Report): Promise<void> {
  if (!process.stdout.isTTY || !report.talks) return;
  const text = inlinePicture(image, png, process.env, process.stdout);
  if (text !== undefined) await writeStdout(text);
}
