import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { TestScreen } from "../../test/screen.ts";
import { duration, Progress, plainText } from "./progress.ts";
import { type Environment, StatusLine } from "./status-line.ts";

beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
});
afterEach(() => {
  vi.useRealTimers();
});

const UTF8: Environment = { LANG: "en_US.UTF-8", TERM: "xterm-256color" };

function progressOn(options: ConstructorParameters<typeof TestScreen>[0], env: Environment = UTF8) {
  const screen = new TestScreen(options);
  const progress = new Progress(new StatusLine(screen, env));
  const at = (ms: number, done: number, total?: number, unit?: string): void => {
    vi.setSystemTime(ms);
    progress.show("decoding", { done, total, unit });
  };
  return { screen, progress, at };
}

test("a terminal has one line that is drawn over at once, then ten times a second at most", () => {
  const { screen, progress, at } = progressOn({ columns: 60 });
  at(0, 0, 10, "pictures");
  expect(screen.take()).toBe(`\rdecoding  ${"░".repeat(24)}  0/10 pictures\x1b[K`);
  at(50, 1, 10, "pictures");
  expect(screen.take()).toBe("");
  at(2000, 2, 10, "pictures");
  expect(screen.take()).toBe("\rdecoding  ███░░░░░░░░░░░░░  2/10 pictures  1.00/s  8 s left\x1b[K");
  progress.stop();
  progress.stop();
  expect(screen.take()).toBe("\r\x1b[K");
});

test("the time left counts down while nothing is heard of the work, until it stops", () => {
  const { screen, progress } = progressOn({ columns: 60 });
  progress.show("opening models/mine");
  expect(screen.take()).toBe("\ropening models/mine  \x1b[K");
  vi.advanceTimersByTime(3000);
  expect(screen.take().endsWith("\ropening models/mine  3 s\x1b[K")).toBe(true);
  progress.stop();
  screen.take();
  vi.advanceTimersByTime(3000);
  expect(screen.take()).toBe("");
});

test("after the last word of the command nothing is heard of work that was under way", () => {
  const screen = new TestScreen({ isTTY: false });
  const line = new StatusLine(screen, UTF8);
  new Progress(line).show("opening models/mine");
  line.print("seedling: models/mine: damaged.");
  line.end();
  vi.advanceTimersByTime(3000);
  expect(screen.take()).toBe("seedling: models/mine: damaged.\n");
});

test("the line never wraps: the bar gives way first", () => {
  const { screen, at } = progressOn({ columns: 40 });
  at(0, 0, 10_000_000, "pictures");
  screen.take();
  at(1000, 1, 10_000_000, "pictures");
  expect(screen.take()).toBe("\rdecoding  1/10000000 pictures  1.00/s  \x1b[K");
});

test("bytes as people read them", () => {
  const { screen, at } = progressOn({ columns: 100 });
  at(0, 10e6, 98e6, "bytes"); // ten megabytes were here before
  screen.take();
  at(2000, 50e6, 98e6, "bytes");
  expect(screen.take()).toMatch(/ {2}50\.0 MB\/98\.0 MB {2}20\.0 MB\/s {2}2 s left/);
});

test("colors where the terminal has them, ASCII where it does not speak UTF-8", () => {
  const color = progressOn({ columns: 60, colors: true });
  color.at(0, 5, 10);
  expect(color.screen.take()).toBe(`\rdecoding  \x1b[36m${"█".repeat(12)}\x1b[2m${"░".repeat(12)}\x1b[0m  5/10\x1b[K`);
  if (process.platform === "win32") return;
  const ascii = progressOn({ columns: 60 }, { LANG: "C", TERM: "vt100" });
  ascii.at(0, 5, 10);
  expect(ascii.screen.take()).toBe(`\rdecoding  ${"#".repeat(12)}${"-".repeat(12)}  5/10\x1b[K`);
});

test.each([
  ["a pipe", { isTTY: false }, UTF8],
  ["a dumb terminal", {}, { ...UTF8, TERM: "dumb" }],
  ["a CI job", {}, { ...UTF8, CI: "true" }],
])("%s: plain lines, the first within two seconds, then ever more seldom", (_, options, env) => {
  const { screen, at } = progressOn(options, env);
  const lines: number[] = [];
  for (let s = 0; s <= 1200; s++) {
    at(1000 * s, 2 * s, 4000, "pictures");
    const text = screen.take();
    if (text !== "") lines.push(s);
    if (s === 7) expect(text).toBe("decoding: 14/4000 pictures, 2.00/s, 33 min 13 s left\n");
  }
  expect(lines.slice(0, 3)).toEqual([2, 7, 12]);
  expect(lines.at(-1)! - lines.at(-2)!).toBe(60);
  expect(lines.length).toBeLessThan(50);
});

test("a pipe learns what is being prepared within two seconds, although nothing is counted", () => {
  const { screen, progress } = progressOn({ isTTY: false });
  progress.show("opening models/mine");
  vi.advanceTimersByTime(1000);
  expect(screen.take()).toBe("");
  vi.advanceTimersByTime(1000);
  expect(screen.take()).toBe("opening models/mine, 2 s\n");
});

test("a pipe sees no line twice in a row: waiting shows how long, and equal lines of equal work are printed once", () => {
  const { screen, at, progress } = progressOn({ isTTY: false });
  for (let s = 0; s <= 20; s++) at(1000 * s, 0, 24, "pictures");
  expect(screen.take().split("\n")).toEqual([
    "decoding: 0/24 pictures, 2 s",
    "decoding: 0/24 pictures, 7 s",
    "decoding: 0/24 pictures, 12 s",
    "decoding: 0/24 pictures, 17 s",
    "",
  ]);
  for (const label of ["compiling", "compiling", "evaluating"]) {
    progress.show(label);
    vi.advanceTimersByTime(2000);
    progress.show("between");
  }
  expect(screen.take()).toBe("compiling, 2 s\nevaluating, 2 s\n");
});

test("another piece of work has a rate of its own", () => {
  const { screen, progress } = progressOn({ columns: 100 });
  progress.show("tokenizing", { done: 0, total: 4 });
  vi.setSystemTime(10_000);
  progress.show("decoding", { done: 0, total: 4 });
  vi.setSystemTime(30_000);
  screen.take();
  progress.show("decoding", { done: 1, total: 4 });
  expect(screen.take()).toContain("1/4  20 s each  1 min 0 s left");
});

test("a part of a few pictures is shown, of many it is not", () => {
  const { screen, progress } = progressOn({ columns: 100 });
  for (const [done, shown] of [
    [0.44, "  0.4/2"],
    [12.4, "  12/20"],
  ] as const) {
    progress.show(`decoding ${done}`, { done, total: done < 1 ? 2 : 20 });
    expect(screen.take()).toContain(shown);
  }
});

test("what takes minutes each is shown in minutes", () => {
  expect(plainText("training", { done: 2, total: 4, unit: "steps" }, { seconds: 400, rate: 2 / 400, left: 400 })).toBe(
    "training: 2/4 steps, 3 min 20 s each, 6 min 40 s left",
  );
});

test("durations", () => {
  expect([59.4, 60, 125, 3600, 12_000].map(duration)).toEqual([
    "59 s",
    "1 min 0 s",
    "2 min 5 s",
    "1 h 0 min",
    "3 h 20 min",
  ]);
});
