import { expect, test } from "vitest";
import { blankImage } from "../image/index.ts";
import { inlinePicture } from "./inline-picture.ts";
import type { Environment } from "./status-line.ts";

const png = Uint8Array.from({ length: 7000 }, (_, i) => i);
const data = Buffer.from(png).toString("base64");
const image = blankImage(64, 64, 0);
const terminal = (depth: number, columns = 80, rows = 40) => ({ columns, rows, getColorDepth: () => depth });
const inline = (env: Environment, depth = 24): string | undefined => inlinePicture(image, png, env, terminal(depth));

test("kitty takes pieces of at most 4096 letters, the last one marked", () => {
  const commands = inline({ TERM: "xterm-kitty" })!
    .split("\x1b_G")
    .slice(1)
    .map((command) => command.split(/[;\\]/).map((part) => part.replace("\x1b", "")));
  expect(commands.map(([control]) => control)).toEqual(["f=100,a=T,q=2,c=24,m=1", "m=1", "m=0"]);
  expect(commands.map(([, piece]) => piece).join("")).toBe(data);
  expect(Math.max(...commands.map(([, piece]) => piece!.length))).toBe(4096);
});

test("iTerm2 takes the whole; a larger picture takes more columns, as many as there are", () => {
  const text = `\x1b]1337;File=inline=1;size=7000;width=24;preserveAspectRatio=1:${data}\x07\n`;
  expect(inline({ TERM_PROGRAM: "iTerm.app" })).toBe(text);
  expect(inline({ LC_TERMINAL: "iTerm2" })).toBe(text);
  const wide = inlinePicture(blankImage(688, 40, 0), png, { LC_TERMINAL: "iTerm2" }, terminal(24));
  expect(wide).toContain("width=79;");
});

test("half blocks: two pixels a character, in all colors or 256", () => {
  const two = {
    width: 2,
    height: 3,
    data: Uint8Array.of(255, 0, 0, 255, 0, 0, 0, 0, 0, 95, 135, 255, 1, 2, 3, 1, 2, 3),
  };
  expect(inlinePicture(two, png, {}, terminal(24))).toBe(
    "\x1b[38;2;255;0;0m\x1b[48;2;0;0;0m▀\x1b[48;2;95;135;255m▀\x1b[0m\n\x1b[38;2;1;2;3m▀▀\x1b[0m\n",
  );
  expect(inlinePicture(two, png, { TMUX: "/tmp/tmux" }, terminal(8))).toBe(
    "\x1b[38;5;196m\x1b[48;5;16m▀\x1b[48;5;69m▀\x1b[0m\n\x1b[38;5;16m▀▀\x1b[0m\n",
  );
});

test("a picture of characters leaves room: never wider or taller than the terminal", () => {
  const text = inlinePicture(image, png, {}, terminal(24, 80, 24))!;
  const lines = text.trimEnd().split("\n");
  expect(lines).toHaveLength(20);
  expect(lines[0]!.match(/▀/g)).toHaveLength(40);
  expect(
    inlinePicture(image, png, {}, terminal(24, 21, 99))!
      .split("\n")[0]!
      .match(/▀/g),
  ).toHaveLength(20);
});

test("nothing without colors, as NO_COLOR asks", () => {
  expect(inline({}, 1)).toBeUndefined();
  expect(inline({}, 4)).toBeUndefined();
});
