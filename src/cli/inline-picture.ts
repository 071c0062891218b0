/** Pictures within a terminal, where it can show them: kitty's graphics protocol, and iTerm2's. */

/** Columns that a picture takes: ours are small. */
const COLUMNS = 24;
/** Bytes of base64 in one of kitty's commands. */
const KITTY_PIECE = 4096;

export type Environment = Readonly<Record<string, string | undefined>>;

/** What shows the PNG when it is written to the terminal, or undefined where none is known to work. */
export function inlinePicture(png: Uint8Array, env: Environment): string | undefined {
  const data = Buffer.from(png).toString("base64");
  const protocol = protocolOf(env);
  if (protocol === "iterm2")
    return `\x1b]1337;File=inline=1;size=${png.length};width=${COLUMNS};preserveAspectRatio=1:${data}\x07\n`;
  if (protocol !== "kitty") return undefined;
  const pieces = data.match(new RegExp(`.{1,${KITTY_PIECE}}`, "g")) ?? [];
  const commands = pieces.map((piece, i) => {
    const first = i === 0 ? `f=100,a=T,q=2,c=${COLUMNS},` : "";
    return `\x1b_G${first}m=${i < pieces.length - 1 ? 1 : 0};${piece}\x1b\\`;
  });
  return `${commands.join("")}\n`;
}

/** A terminal inside tmux or screen does not pass pictures on. */
function protocolOf(env: Environment): "kitty" | "iterm2" | undefined {
  const { TERM = "", TERM_PROGRAM = "", LC_TERMINAL = "", KITTY_WINDOW_ID, TMUX } = env;
  if (TMUX || /^(screen|tmux)/.test(TERM)) return undefined;
  if (KITTY_WINDOW_ID || TERM === "xterm-kitty" || TERM === "xterm-ghostty" || TERM_PROGRAM === "ghostty")
    return "kitty";
  if (["iTerm.app", "WezTerm", "mintty"].includes(TERM_PROGRAM) || LC_TERMINAL === "iTerm2") return "iterm2";
  return undefined;
}
