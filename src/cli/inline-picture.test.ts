import { expect, test } from "vitest";
import { inlinePicture } from "./inline-picture.ts";

const png = Uint8Array.from({ length: 7000 }, (_, i) => i);
const data = Buffer.from(png).toString("base64");

test("kitty takes pieces of at most 4096 letters, the last one marked", () => {
  const text = inlinePicture(png, { TERM: "xterm-kitty" })!;
  const commands = text
    .split("\x1b_G")
    .slice(1)
    .map((command) => command.split(/[;\\]/).map((part) => part.replace("\x1b", "")));
  expect(commands.map(([control]) => control)).toEqual(["f=100,a=T,q=2,c=24,m=1", "m=1", "m=0"]);
  expect(commands.map(([, piece]) => piece).join("")).toBe(data);
  expect(Math.max(...commands.map(([, piece]) => piece!.length))).toBe(4096);
});

test("iTerm2 takes the whole", () => {
  const text = `\x1b]1337;File=inline=1;size=7000;width=24;preserveAspectRatio=1:${data}\x07\n`;
  expect(inlinePicture(png, { TERM_PROGRAM: "iTerm.app" })).toBe(text);
  expect(inlinePicture(png, { LC_TERMINAL: "iTerm2" })).toBe(text);
});

test.each([{}, { TERM: "xterm-256color" }, { TERM: "xterm-kitty", TMUX: "/tmp/tmux" }, { TERM: "screen" }])(
  "nothing for a terminal that is not known: %j",
  (env) => {
    expect(inlinePicture(png, env)).toBeUndefined();
  },
);
