/** `seedling chat` on a tiny model. */
import { readdirSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { encodePng, readPngText } from "../../src/image/index.ts";
import { writeTinyLanguageModel } from "../tiny-language-model.ts";
import { writeTinyModel } from "../tiny-model.ts";
import { blocks } from "./blocks.ts";
import { type Finished, finished, type RunOptions, run, start } from "./run.ts";

const TIMEOUT = 240_000;

let root: string;
let model: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "seedling-chat-"));
  model = join(root, "model");
  await writeTinyModel(model);
  await writeTinyLanguageModel(model);
  await mkdir(join(root, "photos"));
  await writeFile(join(root, "photos/a.png"), await encodePng(blocks(10)));
  await writeFile(join(root, "photos/my b.png"), await encodePng(blocks(11)));
  await writeFile(join(root, "notes.txt"), "not a picture");
}, TIMEOUT);

afterAll(() => rm(root, { recursive: true }));

const seedling = (args: readonly string[], options: Partial<RunOptions> = {}): Promise<Finished> =>
  run(withModel(args), { cwd: root, ...options });

function withModel(args: readonly string[]): string[] {
  return [...args, "--model", model, "--threads", "1"];
}

function lines(output: Buffer | string): string[] {
  return output.toString().split("\n").filter(Boolean);
}

function names(folder = root): string[] {
  return readdirSync(folder).sort();
}

describe(
  "chat",
  () => {
    const chat = (input: readonly string[], args: readonly string[] = []): Promise<Finished> =>
      seedling(["chat", "--max-tokens", "40", "--steps", "1", ...args], { stdin: `${input.join("\n")}\n` });

    test("pictures in and out, and what can be saved", async () => {
      const folder = join(root, "talk");
      await mkdir(folder);
      const input = [
        "photos/a.png",
        "what is this?",
        "'photos/my b.png' and this?",
        "/image photos/my\\ b.png",
        "/draw two cats",
        "/save talk/last.png",
        "/save talk/all.txt",
        "/seed 5",
        "/help",
        "/quit",
        "never read",
      ];
      const { code, stdout, stderr } = await chat(input, ["-o", "talk/pictures"]);
      expect(code).toBe(0);
      const picture1 = join("talk/pictures", "picture-");
      expect(stdout.toString()).toContain(`[picture ${picture1}`);
      const said = lines(stderr);
      expect(said).toContain("(photos/a.png: goes with what you say next)");
      expect(said).toContain("(photos/my b.png: goes with what you say next)");
      expect(said).toContain("(wrote talk/last.png)");
      expect(said).toContain("(seed 5)");
      expect(stderr).toContain("/draw <prompt>");
      const transcript = await readFile(join(folder, "all.txt"), "utf8");
      expect(transcript).toContain("USER: [picture photos/a.png] what is this?\nASSISTANT: ");
      expect(transcript).toContain("USER: [picture photos/my b.png] and this?\n");
      expect(transcript).toContain("USER: draw two cats.\nASSISTANT: [picture ");
      const last = await readFile(join(folder, "last.png"));
      expect(JSON.parse(readPngText(last, "x").get("seedling")!)).toMatchObject({ prompt: "two cats" });
      const again = await seedling(["draw", "--from", "talk/last.png", "-o", "talk/again.png"]);
      expect(again.code).toBe(0);
    });

    test("pictures of earlier conversations are kept", async () => {
      for (const n of [1, 2]) {
        await chat(["/draw a cat"], ["-o", "kept"]);
        expect(names(join(root, "kept"))).toHaveLength(n);
      }
    });

    test("what cannot be done is said in one line, and the conversation continues", async () => {
      const { code, stdout, stderr } = await chat(
        ["/drow a cat", "/image", "/image gone.png", "notes.txt/x.png what?", "/draw", "/save x.png", "/seed -1", "hi"],
        ["--temperature", "0", "-q"],
      );
      expect(lines(stderr)).toEqual([
        "seedling: /drow: no such command. /help lists them.",
        "seedling: /image: expected the path of a picture, got none. Name one.",
        "seedling: gone.png: no such file or folder. Check the path.",
        "seedling: notes.txt/x.png: a part of this path is a file, not a folder. Check the path.",
        "seedling: /draw: expected a prompt, got none. Say what to draw.",
        "seedling: /save: expected a picture to save, none was drawn yet. /draw makes one.",
        "seedling: /seed: expected a whole number from 0 to 4294967295.",
        "seedling: 7 of 8 inputs were skipped.",
      ]);
      expect(stdout.length).toBeGreaterThan(0);
      expect(code).toBe(3);
      expect(names()).not.toContain("chat-pictures.tmp");
    });

    test("the same seed gives the same conversation; the oldest turns are left out when it is long", async () => {
      const input = Array.from({ length: 6 }, () => "abcdefghijklmnopqrstuvwxyz");
      const [a, b] = [await chat(input, ["-o", "seeds"]), await chat(input, ["-o", "seeds"])];
      const words = ({ stdout }: Finished): string => stdout.toString().replace(/picture-\d+/g, "picture");
      expect(words(a)).toBe(words(b));
      expect(a.stderr).toMatch(/\(the first \d+ turns did not fit any more\)/);
      expect(a.code).toBe(0);
    });

    test("Ctrl-C stops the reply, twice the conversation", async () => {
      const folder = join(root, "stopped");
      await mkdir(folder);
      const child = start(withModel(["chat", "--steps", "1000"]), { cwd: folder });
      const done = finished(child);
      const stopped = new Promise<void>((resolve) => {
        child.stderr.on("data", (text: string) => text.includes("(stopped") && resolve());
      });
      const drawn = new Promise((resolve) => child.stdout.once("data", resolve));
      child.stdin.write("/draw a cat\n".repeat(500));
      await Promise.race([drawn, done]); // the next one has begun
      child.kill("SIGINT");
      await Promise.race([stopped, done]);
      child.kill("SIGINT");
      const { code, stderr } = await done;
      expect(stderr).toContain("(stopped");
      expect(stderr).toMatch(/seedling: interrupted\n$/);
      expect(code).toBe(130);
      expect(names(join(folder, "chat-pictures")).filter((name) => !/^picture-\d+\.png$/.test(name))).toEqual([]);
    });

    test("a reader that has seen enough is not an error", async () => {
      const child = start(withModel(["chat", "-q"]), { cwd: root });
      child.stdin.on("error", () => {});
      child.stdin.end("hi\nhi\nhi\nhi\nhi\nhi\n");
      child.stdout.once("data", () => child.stdout.destroy());
      expect(await finished(child)).toMatchObject({ code: 0, stderr: "" });
    });
  },
  TIMEOUT,
);
