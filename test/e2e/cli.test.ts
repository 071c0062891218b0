import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readdirSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import sharp from "sharp";
import { type Pack, pack } from "tar-stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PACKED_BYTES, unpackCodes } from "../../src/codes/index.ts";
import { encodePng } from "../../src/image/index.ts";
import { SeedTokenizer } from "../../src/image-tokenizer/seed-tokenizer.ts";
import { writeTinyModel } from "../tiny-model.ts";
import { blocks } from "./blocks.ts";
import { badPictures, turnedPictures, unusualPictures } from "./pictures.ts";
import { type Finished, finished, MAIN, type RunOptions, run, runProcess, start } from "./run.ts";

const TIMEOUT = 120_000;

let root: string;
let model: string;
/** What is said of `photos/notes.txt`. */
const LEFT_OUT = "seedling: photos: left out 1 file of another kind (1 .txt).";
/** What `photos/a.png` and `photos/deeper/b.jpg` are tokenized to. */
let expected: number[][];
let picture: Uint8Array;
let bad: Awaited<ReturnType<typeof badPictures>>;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "seedling-cli-"));
  model = join(root, "model");
  await writeTinyModel(model);
  picture = await encodePng(blocks(10));
  await put({ "photos/a.png": picture, "photos/deeper/b.jpg": await jpeg(11), "photos/notes.txt": "not a picture" });
  bad = await badPictures();
  for (const [name, { bytes }] of Object.entries(bad)) await put({ [`bad/${name}`]: bytes });
  const tokenizer = await SeedTokenizer.fromPretrained(model, { threads: 1 });
  const encoded = await tokenizer.encode([join(root, "photos/a.png"), join(root, "photos/deeper/b.jpg")]);
  await tokenizer.close();
  expected = encoded.map(({ codes }) => Array.from(codes));
}, TIMEOUT);

afterAll(() => rm(root, { recursive: true }));

async function put(files: Record<string, Uint8Array | string>, folder = root): Promise<void> {
  for (const [name, bytes] of Object.entries(files)) {
    await mkdir(join(folder, name, ".."), { recursive: true });
    await writeFile(join(folder, name), bytes);
  }
}

function jpeg(seed: number): Promise<Uint8Array> {
  const { width, height, data } = blocks(seed);
  return sharp(data, { raw: { width, height, channels: 3 } })
    .jpeg()
    .toBuffer();
}

/** A command with the tiny model, in the temporary folder. */
function seedling(line: string, options: Partial<RunOptions> = {}): Promise<Finished> {
  return run(argsOf(line), { cwd: root, ...options });
}

function argsOf(line: string): string[] {
  const args = line.split(" ");
  const needsModel = ["tokenize", "detokenize", "reconstruct", "demo"].includes(args[0]!) && !args.includes("--model");
  return needsModel ? [...args, "--model", model, "--threads", "1"] : args;
}

function lines(output: Buffer | string): string[] {
  return output.toString().split("\n").filter(Boolean);
}

/** Names in a folder, hidden ones too: nothing may be left behind. */
function names(folder = root): string[] {
  return readdirSync(folder).sort();
}

async function tarOf(files: Record<string, Uint8Array | string>): Promise<Buffer> {
  const tar: Pack = pack();
  for (const [name, bytes] of Object.entries(files)) tar.entry({ name }, Buffer.from(bytes));
  tar.finalize();
  return buffer(tar);
}

describe(
  "usage",
  () => {
    test.each([
      ["tokenise", "seedling: unknown command 'tokenise' (Did you mean tokenize?). See --help.\n"],
      ["tokenize", "seedling: missing required argument 'pictures'. See --help.\n"],
      ["tokenize x --jsn", "seedling: unknown option '--jsn' (Did you mean --json?). See --help.\n"],
      ["tokenize x --json --packed", "seedling: tokenize: expected --json or --packed, got both. Choose one.\n"],
      [
        "detokenize x --keep 4,33",
        "seedling: option '--keep <list>' argument '4,33' is invalid. Expected a whole number from 1 to 32. See --help.\n",
      ],
    ])("%s", async (line, message) => {
      const { code, stdout, stderr } = await seedling(line);
      expect(stderr).toBe(message);
      expect(stdout).toHaveLength(0);
      expect(code).toBe(2);
    });

    test("help and version", async () => {
      const help = await seedling("tokenize --help");
      expect(help.code).toBe(0);
      expect(help.stdout.toString()).toContain("seedling tokenize photos/ --json -o codes.jsonl");
      const version = await runProcess(["--version"], { cwd: root });
      expect(version).toMatchObject({ code: 0, stderr: "" });
      expect(version.stdout.toString()).toMatch(/^\d+\.\d+\.\d+\n$/);
    });
  },
  TIMEOUT,
);

describe(
  "tokenize",
  () => {
    test("a folder, as text, as a process", async () => {
      const { code, stdout, stderr } = await runProcess(argsOf("tokenize photos"), { cwd: root });
      expect(stderr).toBe(`${LEFT_OUT}\n`);
      expect(lines(stdout)).toEqual(expected.map((codes) => codes.join(" ")));
      expect(code).toBe(0);
    });

    test("a glob, as JSON lines with names", async () => {
      const { code, stdout } = await seedling("tokenize photos/**/*.{png,jpg} --json --batch 1");
      expect(lines(stdout).map((line) => JSON.parse(line) as unknown)).toEqual([
        { image: "photos/a.png", codes: expected[0] },
        { image: "photos/deeper/b.jpg", codes: expected[1] },
      ]);
      expect(code).toBe(0);
    });

    test("files, packed into a file", async () => {
      const { code, stdout } = await seedling("tokenize photos/a.png photos/deeper/b.jpg --packed -o packed.bin");
      expect({ code, stdout: stdout.toString() }).toEqual({ code: 0, stdout: "" });
      const bytes = await readFile(join(root, "packed.bin"));
      expect(bytes).toHaveLength(2 * PACKED_BYTES);
      expect(unpackCodes(bytes, "packed.bin")).toEqual(expected);
    });

    test("a tar shard and a picture from standard input", async () => {
      const shard = await tarOf({ "1.png": picture, "1.txt": "a cat", "2.jpg": await jpeg(11) });
      await put({ "shard.tar": shard });
      const fromFile = await seedling("tokenize shard.tar --json");
      expect(lines(fromFile.stdout).map((line) => JSON.parse(line) as unknown)).toEqual([
        { image: "shard.tar/1.png", codes: expected[0] },
        { image: "shard.tar/2.jpg", codes: expected[1] },
      ]);
      const fromPipe = await seedling("tokenize -", { stdin: shard });
      expect(lines(fromPipe.stdout)).toEqual(expected.map((codes) => codes.join(" ")));
      const single = await seedling("tokenize -", { stdin: picture });
      expect(lines(single.stdout)).toEqual([expected[0]!.join(" ")]);
    });

    test("unusual pictures are pictures", async () => {
      await put(await unusualPictures(), join(root, "unusual"));
      const { code, stdout, stderr } = await seedling("tokenize unusual --json");
      expect(stderr).toBe("seedling: unusual/animated.webp: an animation of 3 frames; only the first is used.\n");
      expect(lines(stdout)).toHaveLength(5);
      expect(code).toBe(0);
    });

    test("EXIF rotation is obeyed", async () => {
      await put(await turnedPictures(), join(root, "turned"));
      const [a, b] = lines((await seedling("tokenize turned")).stdout);
      expect(a).toBe(b);
    });

    test("bad pictures are named and skipped, the others are done, the exit code says so", async () => {
      const bad = await badPictures();
      await put(Object.fromEntries(Object.entries(bad).map(([name, { bytes }]) => [name, bytes])), join(root, "bad"));
      const { code, stdout, stderr } = await seedling(
        "tokenize photos/a.png missing.png bad photos/deeper -o rest.txt",
      );
      const said = lines(stderr);
      expect(said.pop()).toMatch(/^wrote codes of 2 pictures to rest\.txt \(\d+ B\)$/);
      expect(said[0]).toBe("seedling: missing.png: no such file or folder. Check the path.");
      for (const [i, [name, { says }]] of Object.entries(bad).entries()) {
        expect(said[i + 1]).toContain(`seedling: bad/${name}: `);
        expect(said[i + 1]).toMatch(says);
      }
      expect(said.slice(5)).toEqual(["seedling: 5 of 7 inputs were skipped."]);
      expect(stdout).toHaveLength(0);
      expect(lines(await readFile(join(root, "rest.txt")))).toEqual(expected.map((codes) => codes.join(" ")));
      expect(code).toBe(3);
    });

    test("if nothing is left, nothing is written", async () => {
      await put({ "broken/a.png": "text", "broken/notes.txt": "text" });
      const before = names();
      expect(await seedling("tokenize broken -o none.txt")).toMatchObject({ code: 3 });
      const missing = await seedling("tokenize missing.png -o none.txt");
      expect(missing).toMatchObject({
        code: 3,
        stderr: "seedling: missing.png: no such file or folder. Check the path.\n",
      });
      const unmatched = await seedling("tokenize *.tiff -o none.txt");
      expect(unmatched).toMatchObject({
        code: 3,
        stderr: "seedling: *.tiff: expected files that match, found none.\n",
      });
      expect(names()).toEqual(before);
    });

    test("a tar that is cut short is reported; what came before it and after it is done", async () => {
      const cut = join(root, "cut.tar");
      await put({ "cut.tar": await tarOf({ "1.png": picture, "2.png": await encodePng(blocks(12, 300, 200)) }) });
      await truncate(cut, 512 + 512 * Math.ceil(picture.length / 512) + 512 + 20);
      const { code, stdout, stderr } = await seedling("tokenize cut.tar photos/deeper/b.jpg");
      expect(lines(stdout)).toEqual(expected.map((codes) => codes.join(" ")));
      expect(lines(stderr)).toEqual([
        expect.stringMatching(
          /^seedling: cut\.tar: the tar is damaged or cut off in or after "2\.png" \(.*\)\. Copy it again\.$/,
        ),
        "seedling: 1 of 3 inputs were skipped.",
      ]);
      expect(code).toBe(3);
    });

    test.skipIf(process.platform !== "linux")("a full disk", async () => {
      const file = await seedling("tokenize photos/a.png -o /dev/full");
      expect(file).toMatchObject({
        code: 4,
        stderr: expect.stringMatching(/^seedling: \/dev\/full: the disk is full;.*\n$/),
      });
      const full = openSync("/dev/full", "w");
      // Quiet, as a busy machine takes long enough to open the model that progress is printed.
      const args = [MAIN, ...argsOf("tokenize photos/a.png --quiet")];
      const { status, stderr } = spawnSync(process.execPath, args, { cwd: root, stdio: ["ignore", full, "pipe"] });
      closeSync(full);
      expect(stderr.toString()).toMatch(/^seedling: standard output: the disk is full;.*\n$/);
      expect(status).toBe(4);
    });

    test("a reader that has seen enough is not an error", async () => {
      const child = start(argsOf(`tokenize ${"photos/a.png ".repeat(40)}--batch 1`), { cwd: root });
      child.stdin.end();
      child.stdout.once("data", () => child.stdout.destroy());
      expect(await finished(child)).toMatchObject({ code: 0, stderr: "" });
    });

    test("Ctrl-C ends cleanly and leaves no file", async () => {
      const folder = join(root, "interrupted");
      await mkdir(folder);
      const child = start(argsOf("tokenize - -o codes.txt"), { cwd: folder });
      const done = finished(child);
      // The file that becomes codes.txt; before it there is a probe of the folder, when nothing has begun yet.
      const begun = (): boolean => names(folder).some((name) => name.startsWith(".codes.txt."));
      while (!begun()) await new Promise((resolve) => setTimeout(resolve, 20));
      child.kill("SIGINT");
      expect(await done).toMatchObject({ code: 130, stderr: "seedling: interrupted\n" });
      expect(names(folder)).toEqual([]);
    });
  },
  TIMEOUT,
);

describe(
  "detokenize",
  () => {
    test("one line of codes to one picture, the same for the same seed", async () => {
      const stdin = expected[0]!.join(" ");
      const first = await seedling("detokenize - -o a.png --seed 7", { stdin });
      expect(first).toMatchObject({ code: 0, stderr: expect.stringMatching(/^wrote a\.png \(\d+ B\)\n$/) });
      const { stdout } = await seedling("detokenize - -o - --seed 7", { stdin });
      expect(stdout).toEqual(await readFile(join(root, "a.png")));
      expect(await sharp(stdout).metadata()).toMatchObject({ format: "png", width: 16, height: 16 });
      const other = await seedling("detokenize - -o - --seed 8", { stdin });
      expect(other.stdout).not.toEqual(stdout);
    });

    test("JSON lines to a folder, named after the pictures, once for each number of codes", async () => {
      const json = (image: string, codes: number[]) => JSON.stringify({ image, codes });
      await put({ "codes.jsonl": [json("x/cat.png", expected[0]!), json("y/cat.jpg", expected[1]!)].join("\n") });
      expect(await seedling("detokenize codes.jsonl -o out --keep 4,32")).toMatchObject({ code: 0 });
      expect(names(join(root, "out"))).toEqual(["cat-32-2.png", "cat-32.png", "cat-4-2.png", "cat-4.png"]);
    });

    test("--json says which file was decoded from how many codes", async () => {
      const stdin = expected[0]!.join(" ");
      const { stdout, code } = await seedling("detokenize - -o said --keep 4,32 --json", { stdin });
      expect(code).toBe(0);
      const said = lines(String(stdout)).map((line) => JSON.parse(line) as Record<string, unknown>);
      expect(said.map(({ file, keep }) => [file, keep])).toEqual([
        [join("said", "codes-4.png"), 4],
        [join("said", "codes-32.png"), 32],
      ]);
      for (const { codes } of said) expect(codes).toEqual(expected[0]);
      expect(await seedling("detokenize - -o - --json", { stdin })).toMatchObject({ code: 2 });
      const closed = start(argsOf("detokenize - -o unread --keep 4,8,16,32 --json"), { cwd: root });
      closed.stdout.destroy(); // nobody reads the lines, and the pictures are decoded all the same
      closed.stdin.end(stdin);
      expect(await finished(closed)).toMatchObject({ code: 0 });
      expect(readdirSync(join(root, "unread"))).toHaveLength(4 * stdin.trim().split("\n").length);
    });

    test("packed codes", async () => {
      await seedling("tokenize photos --packed -o two.bin");
      expect(await seedling("detokenize two.bin --packed -o unpacked")).toMatchObject({
        code: 0,
        stderr: expect.stringMatching(/^wrote 2 pictures to unpacked \([\d.]+ kB\)\n$/),
      });
      expect(names(join(root, "unpacked"))).toEqual(["two-1.png", "two-2.png"]);
      const plain = await seedling("detokenize two.bin -o none");
      expect(plain).toMatchObject({
        code: 3,
        stderr: expect.stringContaining("Add --packed if these are packed codes."),
      });
      await truncate(join(root, "two.bin"), 100);
      const cut = await seedling("detokenize two.bin --packed -o none");
      expect(cut.stderr).toBe(
        "seedling: two.bin: expected a whole number of pictures of 52 bytes, got 100 bytes. Is the file cut short?\n",
      );
      expect(cut.code).toBe(3);
      expect(names()).not.toContain("none");
    });

    test("wrong codes are named and skipped, the others are decoded", async () => {
      const good = expected[0]!;
      const text = [good, good.slice(0, 31), good.with(3, 64), good.with(0, -1), good].map((codes) => codes.join(" "));
      await put({ "some.txt": [...text, "a b c", '{"codes": 5}'].join("\n") });
      const { code, stderr } = await seedling("detokenize some.txt gone.txt -o some");
      expect(lines(stderr)).toEqual([
        "seedling: gone.txt: no such file or folder. Check the path.",
        "seedling: some.txt line 2: expected 32 codes, got 31.",
        "seedling: some.txt line 3: code 64 at position 3 is outside 0..63.",
        "seedling: some.txt line 4: code -1 at position 0 is outside 0..63.",
        "seedling: some.txt line 6: expected 32 codes, got 3.",
        "seedling: some.txt line 7: expected a list of 32 codes, got 5.",
        "seedling: 6 of 8 inputs were skipped.",
        expect.stringMatching(/^wrote 2 pictures to some \([\d.]+ kB\)$/),
      ]);
      expect(names(join(root, "some"))).toEqual(["some-1.png", "some-5.png"]);
      expect(code).toBe(3);
    });

    test("a picture as codes, and two pictures for one file", async () => {
      const wrong = await seedling("detokenize photos/a.png -o none");
      expect(wrong).toMatchObject({ code: 3, stderr: expect.stringContaining("got a binary file") });
      const stdin = expected.map((codes) => codes.join(" ")).join("\n");
      const two = await seedling("detokenize - -o two.png", { stdin });
      expect(two).toMatchObject({
        code: 2,
        stderr: "seedling: -o two.png: expected one picture for one file, got 2. Name a folder.\n",
      });
      expect(names()).not.toContain("two.png");
    });

    test("Ctrl-C between two steps of a decoding", async () => {
      const child = start(argsOf("detokenize - -o slow --keep 32,31 --steps 1000"), { cwd: root });
      const done = finished(child);
      child.stdin.end(expected[0]!.join(" "));
      while (!names().includes("slow")) await new Promise((resolve) => setTimeout(resolve, 20));
      child.kill("SIGINT");
      expect(await done).toMatchObject({ code: 130, stderr: expect.stringMatching(/seedling: interrupted\n$/) });
      expect(names(join(root, "slow")).filter((name) => !name.endsWith(".png"))).toEqual([]);
    });
  },
  TIMEOUT,
);

describe(
  "sheets",
  () => {
    test("reconstruct: originals next to what their codes say", async () => {
      const { code, stderr } = await seedling("reconstruct photos bad/text.png -o sheet.png --keep 32,4 --steps 1");
      expect(lines(stderr)).toEqual([
        LEFT_OUT,
        expect.stringContaining("bad/text.png: expected a PNG"),
        "seedling: 1 of 3 inputs were skipped.",
        expect.stringMatching(/^wrote a sheet of 2 pictures to sheet\.png \([\d.]+ kB\)$/),
      ]);
      expect(code).toBe(3);
      // 3 columns and 2 rows of 128 px, 8 px between them, a title of 18 px above
      expect(await sharp(join(root, "sheet.png")).metadata()).toMatchObject({
        width: 4 * 8 + 384,
        height: 18 + 8 * 4 + 256,
      });
    });

    test("reconstruct --json: the codes of each picture and the sheet that it is on", async () => {
      const { stdout, stderr } = await seedling("reconstruct photos -o said.png --steps 1 --json");
      expect(stderr).toBe(`${LEFT_OUT}\n`);
      const said = lines(String(stdout)).map((line) => JSON.parse(line) as { codes: number[]; sheet: string });
      expect(said.map(({ sheet }) => sheet)).toEqual(["said.png", "said.png"]);
      expect(said.map(({ codes }) => codes)).toEqual(expected.slice(0, 2));
    });

    test("nothing to show, nothing written", async () => {
      expect(await seedling("reconstruct bad -o nosheet.png")).toMatchObject({ code: 3 });
      expect(names()).not.toContain("nosheet.png");
    });

    test("demo: codes and time of each picture, then the sheet", async () => {
      const { code, stdout, stderr } = await seedling("demo photos --steps 1 -o demo.png");
      expect(lines(stderr)).toEqual([LEFT_OUT, expect.stringMatching(/^wrote demo\.png \([\d.]+ kB\)$/)]);
      const said = lines(stdout);
      expect(said[0]).toMatch(/^model ready in \d+\.\d s: 64 codes, /);
      expect(said[1]).toMatch(/^a\.png, \d+ ms$/);
      expect(said[2]).toBe(`  ${expected[0]!.join(" ")}`);
      expect(said.at(-2)).toMatch(/^2 pictures again from 32, 16, 8, 4 codes in \d+\.\d s$/);
      expect(said.at(-1)).toMatch(/^done in \d+\.\d s$/);
      expect(code).toBe(0);
      expect(await sharp(join(root, "demo.png")).metadata()).toMatchObject({ width: 6 * 8 + 5 * 128 });
    });
  },
  TIMEOUT,
);

test("--debug shows where an error comes from", async () => {
  const { stderr } = await seedling("tokenize photos/a.png --model nowhere --debug");
  expect(lines(stderr)[0]).toBe("seedling: nowhere: no such model folder. Check the path.");
  expect(stderr).toMatch(/\n {4}at .*seed-folder/);
});

test(
  "an output that was there is kept when the command fails",
  async () => {
    await put({ "kept.txt": "precious" });
    await seedling("tokenize missing.png -o kept.txt");
    expect(await readFile(join(root, "kept.txt"), "utf8")).toBe("precious");
    expect(await once(start(["--version"], { cwd: root }), "close")).toEqual([0, null]);
  },
  TIMEOUT,
);
