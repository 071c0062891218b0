import { afterEach, expect, test } from "vitest";
import { TestScreen } from "../../test/screen.ts";
import { InputError, SetupError } from "../base/errors.ts";
import { plural, Report, Reported, type ReportOptions } from "./report.ts";

function reportOn(isTTY: boolean, options: ReportOptions = {}) {
  const screen = new TestScreen({ isTTY });
  return { screen, report: new Report({ screen, env: {}, ...options }) };
}

afterEach(() => {
  process.exitCode = undefined;
});

test("the bar makes room for a problem", () => {
  const { screen, report } = reportOn(true);
  report.progress("decoding", 1, 10);
  screen.take();
  report.problem(new InputError("a.png: damaged."));
  expect(screen.take()).toBe("\r\x1b[Kseedling: a.png: damaged.\n");
  report.clear();
});

test("quiet: problems only", () => {
  const { screen, report } = reportOn(true, { quiet: true });
  report.doing("opening models/mine");
  report.progress("decoding", 0, 10);
  report.note("a note");
  report.warn("an animation; only the first frame is used");
  report.wrote("a.png", 10);
  expect(screen.take()).toBe("");
  report.problem(new InputError("a.png: damaged."));
  expect(screen.take()).toBe("\r\x1b[Kseedling: a.png: damaged.\n");
});

test("the result line; with --json the files are named on standard output", () => {
  const { screen, report } = reportOn(true);
  report.progress("decoding", 1, 10);
  screen.take();
  report.wrote("out", 12_000, plural(6, "picture"));
  expect(screen.take()).toBe("\r\x1b[K\r\x1b[Kwrote 6 pictures to out (12.0 kB)\n");
  report.wrote("sheet.png");
  expect(screen.take()).toBe("\r\x1b[Kwrote sheet.png\n");
  const json = reportOn(true, { json: true });
  json.report.wrote("sheet.png", 10);
  expect(json.screen.take()).toBe("");
  expect([plural(1, "picture"), plural(0, "picture")]).toEqual(["1 picture", "0 pictures"]);
});

test("the exit code is that of the problems; 3 if they differ; none if there was none", () => {
  reportOn(false).report.finish(0);
  expect(process.exitCode).toBeUndefined();

  const { screen, report } = reportOn(false);
  report.problem(new SetupError("a.png: permission denied."));
  report.finish(4);
  expect(process.exitCode).toBe(4);
  report.problem(new InputError("b.png: damaged."));
  report.finish(4);
  expect(process.exitCode).toBe(3);
  expect(screen.written).toMatch(/seedling: 2 of 6 inputs were skipped\.\n$/);
});

test("problems with everything end the command", () => {
  const { report } = reportOn(false);
  report.problem(new SetupError("a.png: permission denied."));
  expect(() => report.finish(0)).toThrow(expect.objectContaining({ constructor: Reported, exitCode: 4 }));
});

test("a bug is not a problem of the input", () => {
  const bug = new TypeError("x is undefined");
  expect(() => reportOn(false).report.problem(bug)).toThrow(bug);
});
