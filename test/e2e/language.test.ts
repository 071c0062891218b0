import { readdirSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import sharp from "sharp";
import { pack } from "tar-stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decodeImage, encodePng, readPngText } from "../../src/image/index.ts";
import { textChunk } from "../../src/image/png-text.ts";
import { type DescribeOptions, SeedLanguageModel } from "../../src/language/index.ts";
import { TINY_CONTEXT, writeTinyLanguageModel } from "../tiny-language-model.ts";
import { writeTinyModel } from "../tiny-model.ts";
import { blocks } from "./blocks.ts";
import { type Finished, finished, type RunOptions, run, runProcess, start } from "./run.ts";

const TIMEOUT = 240_000;

let root: string;
let model: string;
let picture: Uint8Array;
/** What the library says of the two pictures in photos/, at most 12 tokens. */
let said: string[];
let answer: string;
let others: Record<"likeliest" | "bestOfFour" | "chance", string>;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "seedling-language-"));
  model = join(root, "model");
  await writeTinyModel(model);
  await writeTinyLanguageModel(model);
  picture = await encodePng(blocks(10));
  await mkdir(join(root, "photos"));
  await writeFile(join(root, "photos/a.png"), picture);
  await writeFile(join(root, "photos/my b.png"), await encodePng(blocks(11)));
  await writeFile(join(root, "notes.txt"), "not a picture");
  const lm = await SeedLanguageModel.fromPretrained(model, { threads: 1 });
  said = (await lm.describe([blocks(10), blocks(11)], { maxTokens: 12 })).map((text) => text.replace(/\s+/g, " "));
  const other = async (options: DescribeOptions): Promise<string> =>
    (await lm.describe([blocks(10)], { maxTokens: 12, ...options }))[0]!.replace(/\s+/g, " ");
  others = {
    likeliest: await other({ bestOf: 1 }),
    bestOfFour: await other({ bestOf: 4, seed: 3 }),
    chance: await other({ temperature: 1, seed: 3 }),
  };
  answer = (await lm.ask(blocks(10), "describe the picture.", { maxTokens: 12 })).replace(/\s+/g, " ");
  await lm.close();
}, TIMEOUT);

afterAll(() => rm(root, { recursive: true }));

const seedling = (args: readonly string[], options: Partial<RunOptions> = {}): Promise<Finished> =>
  run(withModel(args), { cwd: root, ...options });

/** The command with the tiny model, if it names none. */
function withModel(args: readonly string[]): string[] {
  return [...args, ...(args.includes("--model") ? [] : ["--model", model]), "--threads", "1"];
}

function lines(output: Buffer | string): string[] {
  return output.toString().split("\n").filter(Boolean);
}

function names(folder = root): string[] {
  return readdirSync(folder).sort();
}

describe(
  "demo",
  () => {
    test("says what each picture shows, answers a question, and draws six prompts", async () => {
      const args = ["demo", "photos/a.png", "--steps", "1", "-o", "demo.png", "--drawings", "drawn.png"];
      const { code, stdout, stderr } = await seedling(args);
      expect(stderr).toMatch(/^wrote demo\.png \([\d.]+ kB\)\nwrote drawn\.png \([\d.]+ kB\)\n$/);
      const out = lines(stdout);
      expect(out[3]).toMatch(/^ {2}it says: /);
      expect(out[4]).toMatch(/^ {2}how many things are there\? /);
      expect(out.at(-2)).toMatch(/^6 drawings of words in \d+\.\d s$/);
      expect(code).toBe(0);
      expect(await sharp(join(root, "drawn.png")).metadata()).toMatchObject({ width: 7 * 8 + 6 * 128 });
    });
  },
  TIMEOUT,
);

describe(
  "describe",
  () => {
    test("a file, a folder with names, JSON lines", async () => {
      const one = await runProcess(withModel(["describe", "photos/a.png", "--max-tokens", "12"]), { cwd: root });
      expect(one).toMatchObject({ code: 0, stderr: "" });
      expect(one.stdout.toString()).toBe(`${said[0]}\n`);
      const both = await seedling(["describe", "photos", "--max-tokens", "12"]);
      expect(lines(both.stdout)).toEqual([`photos/a.png: ${said[0]}`, `photos/my b.png: ${said[1]}`]);
      const json = await seedling(["describe", "photos/*.png", "--json", "--max-tokens", "12", "-o", "out.jsonl"]);
      expect(json.code).toBe(0);
      expect(lines(await readFile(join(root, "out.jsonl"))).map((line) => JSON.parse(line))).toEqual([
        { image: "photos/a.png", text: said[0] },
        { image: "photos/my b.png", text: said[1] },
      ]);
    });

    test("the likeliest words, the best of a few, chance", async () => {
      const describe = async (...more: string[]): Promise<string> => {
        const { code, stdout, stderr } = await seedling(["describe", "photos/a.png", "--max-tokens", "12", ...more]);
        expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
        return stdout.toString().trim();
      };
      expect(await describe("--best-of", "1")).toBe(others.likeliest);
      expect(await describe("--best-of", "1")).toBe(await describe("--temperature", "0"));
      expect(await describe("--best-of", "4", "--seed", "3")).toBe(others.bestOfFour);
      expect(await describe("--temperature", "1", "--seed", "3")).toBe(others.chance);
      expect(new Set([said[0], ...Object.values(others)]).size).toBeGreaterThan(2);
      const both = await seedling(["describe", "photos/a.png", "--best-of", "2", "--beams", "2"]);
      expect(both).toMatchObject({ code: 2, stderr: expect.stringMatching(/the best of 2 or 2 beams, got both/) });
      const certain = await seedling(["describe", "photos/a.png", "--best-of", "2", "--temperature", "0"]);
      expect(certain).toMatchObject({
        code: 2,
        stderr: expect.stringMatching(/a temperature above 0 for the best of 2/),
      });
    });

    test("standard input, a picture or a tar", async () => {
      const one = await seedling(["describe", "-", "--max-tokens", "12"], { stdin: picture });
      expect(one.stdout.toString()).toContain(said[0]);
      const tar = pack();
      tar.entry({ name: "x/1.png" }, Buffer.from(picture));
      tar.finalize();
      const many = await seedling(["describe", "-", "--max-tokens", "12"], { stdin: await buffer(tar) });
      expect(many.stdout.toString()).toBe(`standard input/x/1.png: ${said[0]}\n`);
    });

    test("a bad picture is named and skipped; if nothing is left, nothing is written", async () => {
      const some = await seedling(["describe", "notes.txt", "photos/a.png", "--max-tokens", "12"]);
      expect(lines(some.stdout)).toEqual([`photos/a.png: ${said[0]}`]);
      expect(lines(some.stderr)).toEqual([
        expect.stringContaining("seedling: notes.txt: expected a PNG"),
        "seedling: 1 of 2 inputs were skipped.",
      ]);
      expect(some.code).toBe(3);
      const none = await seedling(["describe", "gone.png", "-o", "none.txt"]);
      expect(none).toMatchObject({ code: 3, stderr: "seedling: gone.png: no such file or folder. Check the path.\n" });
      expect(names()).not.toContain("none.txt");
    });

    test("Ctrl-C leaves no file, and a reader that has seen enough is not an error", async () => {
      const folder = join(root, "interrupted");
      await mkdir(folder);
      const child = start(withModel(["describe", "-", "-o", "text.txt"]), { cwd: folder });
      const done = finished(child);
      // The file that becomes text.txt; before it there is a probe of the folder, when nothing has begun yet.
      const begun = (): boolean => names(folder).some((name) => name.startsWith(".text.txt."));
      while (!begun()) await new Promise((resolve) => setTimeout(resolve, 20));
      child.kill("SIGINT");
      expect(await done).toMatchObject({ code: 130, stderr: "seedling: interrupted\n" });
      expect(names(folder)).toEqual([]);

      const many = Array<string>(20).fill("photos/a.png");
      const closed = start(withModel(["describe", ...many]), { cwd: root });
      closed.stdin.end();
      closed.stdout.once("data", () => closed.stdout.destroy());
      expect(await finished(closed)).toMatchObject({ code: 0, stderr: "" });
    });
  },
  TIMEOUT,
);

describe(
  "ask",
  () => {
    test("a question of several words; the same as the library's; as JSON", async () => {
      const args = ["ask", "photos/a.png", "describe", "the", "picture.", "--max-tokens", "12"];
      const plain = await seedling(args);
      expect(plain).toMatchObject({ code: 0, stderr: "" });
      expect(plain.stdout.toString()).toBe(`${answer}\n`);
      const json = await seedling([...args, "--json"]);
      expect(JSON.parse(json.stdout.toString())).toEqual({
        image: "photos/a.png",
        question: "describe the picture.",
        text: answer,
      });
    });

    test.each<[string, string[], number, string]>([
      ["no question", ["photos/a.png"], 2, "missing required argument 'question'. See --help."],
      [
        "an empty question",
        ["photos/a.png", " "],
        2,
        "ask: expected a question, got none. Write one after the picture.",
      ],
      ["no picture", ["how many?", "cats"], 3, "how many?: expected files that match, found none."],
      ["text", ["notes.txt", "what?"], 3, "notes.txt: expected a PNG"],
      ["several pictures", ["photos", "what?"], 2, "ask: expected one picture, got more in photos. Name one."],
      [
        "a long question",
        ["photos/a.png", "x ".repeat(300)],
        3,
        `prompt: expected at most ${TINY_CONTEXT - 1} tokens, got 6`,
      ],
      [
        "a wrong setting",
        ["photos/a.png", "what?", "--temperature", "1", "--top-p", "2"],
        2,
        "option '--top-p <x>' argument '2' is invalid. Expected a number above 0 up to 1.",
      ],
    ])("%s", async (_, args, code, says) => {
      const result = await seedling(["ask", ...args]);
      expect(result.stderr).toMatch(/^seedling: [^\n]*\n$/);
      expect(result.stderr).toContain(says);
      expect(result.stdout).toHaveLength(0);
      expect(result.code).toBe(code);
    });

    test("a long question is cut if that is wanted, and image tokens in it are text", async () => {
      const long = await seedling(["ask", "photos/a.png", "x ".repeat(300), "--truncate", "--max-tokens", "5"]);
      expect(long).toMatchObject({ code: 0, stderr: "" });
      const tokens = `<img>${"<img_00001>".repeat(32)}</img>`;
      const named = await seedling(["ask", "photos/a.png", tokens]);
      expect(named.stderr).toContain("prompt: expected at most"); // some 360 letters, not one picture
    });
  },
  TIMEOUT,
);

describe(
  "draw",
  () => {
    test("a file that tells how it was drawn, and the same picture from it", async () => {
      const args = ["draw", "two grün cats", "--seed", "7", "--steps", "2", "-o"];
      const drawn = await seedling([...args, "out.png"]);
      expect(drawn).toMatchObject({ code: 0, stderr: expect.stringMatching(/wrote out\.png \([\d.]+ kB\)\n$/) });
      const png = await readFile(join(root, "out.png"));
      const notes = readPngText(png, "out.png");
      expect(JSON.parse(notes.get("seedling")!)).toMatchObject({
        format: "seedling-drawing-2",
        prompt: "two grün cats",
        seed: 7,
        sampling: { temperature: 1, topP: 0.5, beams: 1, guidance: 1 },
        decoding: { steps: 2, guidanceScale: null },
      });
      expect((await seedling([...args, "-"])).stdout).toEqual(png);

      const again = await seedling(["draw", "--from", "out.png", "-o", "again.png"]);
      expect(again).toMatchObject({ code: 0, stderr: "wrote again.png: the same as out.png, pixel for pixel\n" });
      expect(await readFile(join(root, "again.png"))).toEqual(png);
    });

    test("several pictures to a folder, as JSON lines", async () => {
      const args = ["draw", "a", "Cat!", "--count", "2", "--seed", "3", "--steps", "1", "--json", "-o", "many"];
      const { code, stdout } = await seedling(args);
      expect(code).toBe(0);
      const rows = lines(stdout).map((line) => JSON.parse(line) as { file: string; seed: number; codes: number[] });
      expect(rows.map(({ file, seed }) => [file, seed])).toEqual([
        [join("many", "a-cat-3.png"), 3],
        [join("many", "a-cat-4.png"), 4],
      ]);
      expect(rows[0]!.codes).toHaveLength(32);
      expect(names(join(root, "many"))).toEqual(["a-cat-3.png", "a-cat-4.png"]);
    });

    test("beams, guidance over codes and a negative prompt", async () => {
      const args = ["draw", "a cat", "--beams", "2", "--code-guidance", "3", "--negative", "a dog", "--steps", "1"];
      const result = await seedling([...args, "-o", "guided.png"]);
      expect(result.code).toBe(0);
      const note = JSON.parse(readPngText(await readFile(join(root, "guided.png")), "x").get("seedling")!);
      expect(note.sampling).toMatchObject({ beams: 2, guidance: 3, negative: "a dog" });
    });

    test.each<[string, string[], number, string]>([
      ["no prompt", [], 2, "draw: expected a prompt, got none. Say what to draw, or name a file: --from."],
      ["prompt and file", ["a", "--from", "x.png"], 2, "draw: expected a prompt or --from, got both. Leave one out."],
      [
        "many for one file",
        ["a", "--count", "2", "-o", "x.png"],
        2,
        "-o x.png: expected one picture for one file, got 2. Name a folder.",
      ],
      ["a negative alone", ["a", "--negative", "b"], 2, "--negative: expected --code-guidance with it, other than 1"],
      ["a long prompt", ["x ".repeat(200)], 3, `prompt: expected at most ${TINY_CONTEXT - 34} tokens, got 4`],
      ["no file", ["--from", "gone.png"], 3, "gone.png: no such file or folder. Check the path."],
      ["the same file", ["--from", "photos/a.png", "-o", "photos/a.png"], 2, "expected another file than photos/a.png"],
      ["another picture", ["--from", "photos/a.png"], 3, "photos/a.png: expected a picture made by seedling draw"],
      ["no picture", ["--from", "notes.txt"], 3, "notes.txt: expected a PNG picture, got another kind of file."],
    ])("%s", async (_, args, code, says) => {
      const before = names();
      const result = await seedling(["draw", ...args]);
      expect(result.stderr).toMatch(/^seedling: [^\n]*\n$/);
      expect(result.stderr).toContain(says);
      expect(result.stdout).toHaveLength(0);
      expect(result.code).toBe(code);
      expect(names()).toEqual(before);
    });

    test("Ctrl-C in the middle writes nothing", async () => {
      const folder = join(root, "slow");
      await mkdir(folder);
      const child = start(withModel(["draw", "a cat", "--count", "9000"]), { cwd: folder });
      const done = finished(child);
      const seen = new Promise<void>((resolve) => child.stderr.on("data", () => resolve()));
      await seen; // it has begun to draw or to decode
      child.kill("SIGINT");
      expect(await done).toMatchObject({ code: 130, stderr: expect.stringMatching(/seedling: interrupted\n$/) });
      expect(names(folder)).toEqual([]);
    });
  },
  TIMEOUT,
);

describe(
  "drawings from elsewhere",
  () => {
    /** out.png of this model with another note inside. */
    async function withNote(name: string, change: (note: Record<string, never>) => unknown): Promise<Finished> {
      if (!names().includes("base.png")) await seedling(["draw", "a cat", "--steps", "1", "-o", "base.png"]);
      const png = await readFile(join(root, "base.png"));
      const note = JSON.parse(readPngText(png, "x").get("seedling")!) as Record<string, never>;
      const changed = change(note);
      const text = typeof changed === "string" ? changed : JSON.stringify(changed);
      const bare = Buffer.from(await encodePng(await decodeImage(png, "x")));
      await writeFile(
        join(root, name),
        Buffer.concat([bare.subarray(0, 33), textChunk("seedling", text), bare.subarray(33)]),
      );
      return seedling(["draw", "--from", name, "-o", "never.png"]);
    }

    test.each<[string, (note: Record<string, never>) => unknown, string]>([
      ["no JSON", () => "{", "bad.png: its note: expected JSON"],
      ["an unknown key", (note) => ({ ...note, color: 1 }), 'bad.png: its note: unknown key "color"'],
      ["too few codes", (note) => ({ ...note, codes: [1, 2] }), "bad.png: its note: codes: "],
      ["codes of a larger book", (note) => ({ ...note, codes: Array(32).fill(64) }), "expected codes 0..63, got 64."],
      [
        "endless steps",
        (note) => ({ ...note, decoding: { device: "cpu", steps: 1e9, guidanceScale: null } }),
        "its note: decoding.steps: ",
      ],
      [
        "another device",
        (note) => ({ ...note, decoding: { device: "webgpu", steps: 1, guidanceScale: null } }),
        "bad.png: expected device webgpu, on which it was drawn, got cpu.",
      ],
    ])("with %s: one line, nothing written", async (_, change, says) => {
      const { code, stderr } = await withNote("bad.png", change);
      expect(stderr).toMatch(/^seedling: [^\n]*\n$/);
      expect(stderr).toContain(says);
      expect(code).toBe(3);
      expect(names()).not.toContain("never.png");
    });

    test("another model: the files that differ are named", async () => {
      const other = join(root, "other");
      await writeTinyModel(other, { seed: 9 });
      await withNote("copy.png", (note) => note);
      const { code, stderr } = await seedling(["draw", "--from", "copy.png", "-o", "x.png", "--model", other]);
      expect(stderr).toMatch(
        /^seedling: copy\.png: drawn by another model: model\.safetensors was [0-9a-f]{16}, here [0-9a-f]{16}; conditioner\/diffusion_pytorch_model\.safetensors was .*Set --model to that one\.\n$/,
      );
      expect(code).toBe(3);
      expect(names()).not.toContain("x.png");
    });

    test("edited pixels are decoded as they were and reported", async () => {
      await rm(join(root, "never.png"), { force: true });
      await withNote("copy.png", (note) => note);
      const png = await readFile(join(root, "copy.png"));
      const text = readPngText(png, "x").get("seedling")!;
      const image = await decodeImage(png, "x");
      image.data[0]! ^= 128;
      await writeFile(join(root, "edited.png"), await encodePng(image, { seedling: text }));
      const { code, stderr } = await seedling(["draw", "--from", "edited.png", "-o", "whole.png"]);
      expect(stderr).toMatch(/^seedling: edited\.png: decoded again as whole\.png, but 1 pixels differ: /);
      expect(code).toBe(3);
      expect(names()).toContain("whole.png");
    });
  },
  TIMEOUT,
);

describe(
  "set-up",
  () => {
    let count = 0;
    async function refusal(change: (folder: string) => Promise<void>, ...more: string[]): Promise<Finished> {
      const folder = join(root, `model-${count++}`);
      await cp(model, folder, { recursive: true });
      await change(folder);
      const result = await seedling(["describe", "photos/a.png", "-o", "never.txt", "--model", folder, ...more]);
      expect(result.stderr).toMatch(/^seedling: [^\n]*\n$/);
      expect(names()).not.toContain("never.txt");
      return result;
    }

    test("a model that does not see", async () => {
      const { code, stderr } = await refusal((folder) => rm(join(folder, "lm-adapter"), { recursive: true }));
      expect(stderr).toMatch(
        /lm-adapter: expected the adapter of a language model that sees and draws, found none\. Set --adapter to one\.\n$/,
      );
      expect(code).toBe(3);
    });

    test("an adapter for another base", async () => {
      const { code, stderr } = await refusal(async (folder) => {
        const other = join(root, "other-lm");
        await cp(model, other, { recursive: true });
        await writeTinyLanguageModel(other, { seed: 77 });
        await cp(join(other, "lm"), join(folder, "lm"), { recursive: true });
      });
      expect(stderr).toMatch(/expected the base of the adapter \(hash [0-9a-f]{16}\), got another \([0-9a-f]{16}\)\./);
      expect(code).toBe(3);
    });

    test("a tokenizer.json without the added tokens", async () => {
      const { code, stderr } = await refusal((folder) =>
        cp(join(folder, "lm/tokenizer.json"), join(folder, "lm-adapter/tokenizer.json")),
      );
      expect(stderr).toMatch(
        /lm-adapter.tokenizer\.json: expected the tokens <img>, <\/img> and <img_00000>\.\., found none\./,
      );
      expect(code).toBe(3);
    });

    test("a GGUF file of an unknown kind, --lm and --adapter that are not there", async () => {
      const header = Buffer.alloc(24);
      header.write("GGUF");
      header.writeUInt32LE(9, 4);
      await writeFile(join(root, "x.gguf"), header);
      const kind = await refusal(async () => {}, "--lm", "x.gguf");
      expect(kind).toMatchObject({ code: 3, stderr: expect.stringContaining("expected GGUF version 2 or 3, got 9") });
      const lm = await refusal(async () => {}, "--lm", "nowhere");
      expect(lm).toMatchObject({ code: 3, stderr: expect.stringContaining("nowhere: expected a language model") });
      const adapter = await refusal(async () => {}, "--adapter", "nowhere");
      expect(adapter).toMatchObject({ code: 3, stderr: expect.stringContaining("nowhere: expected the adapter") });
    });

    test("every command has help with examples", async () => {
      for (const command of ["describe", "ask", "draw", "chat"]) {
        const { code, stdout } = await run([command, "--help"], { cwd: root });
        expect(code).toBe(0);
        expect(stdout.toString()).toMatch(new RegExp(`Examples:\n  seedling ${command}\\b`));
      }
    });
  },
  TIMEOUT,
);
