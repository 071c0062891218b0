import { homedir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SeedlingError } from "../base/errors.ts";
import { onePath, parseChatLine } from "./chat-line.ts";

const exists = (path: string): boolean => ["cat.png", "/cat"].includes(path);
const parse = (line: string) => parseChatLine(line, { exists, windows: false });

describe("commands", () => {
  test.each<[string, string, string]>([
    ["/draw two red apples", "draw", "two red apples"],
    ["  /quit ", "quit", ""],
    ["/image 'my cat.png'", "image", "'my cat.png'"],
  ])("%s", (line, name, rest) => {
    expect(parse(line)).toEqual({ kind: "command", name, rest });
  });

  test("that do not exist are named, unless they are files", () => {
    expect(() => parse("/drow a cat")).toThrow("/drow: no such command. /help lists them.");
    expect(parse("/cat")).toEqual({ kind: "words", text: "/cat", pictures: [] });
  });
});

describe("pictures among the words", () => {
  test.each<[string, string, string[]]>([
    ["what's in cat.png?", "what's in ?", ["cat.png"]],
    ["/home/me/cat.png", "", ["/home/me/cat.png"]],
    ["/home/me/my\\ cat\\'s.png how many?", "how many?", ["/home/me/my cat's.png"]],
    ["'/home/me/my cat.png' how many?", "how many?", ["/home/me/my cat.png"]],
    ['compare "a b.JPG" and ./c.webp.', "compare and .", ["a b.JPG", "./c.webp"]],
    ["file:///tmp/a%20b.png", "", ["/tmp/a b.png"]],
    ["~/cat.png", "", [join(homedir(), "cat.png")]],
    ["is dog.png a good name for a .png", "is dog.png a good name for a .png", []],
    ["it's 'quoted' and what's more", "it's 'quoted' and what's more", []],
    ["<img><img_00001></img>", "<img><img_00001></img>", []],
    ["", "", []],
  ])("%s", (line, text, pictures) => {
    expect(parse(line)).toEqual({ kind: "words", text, pictures });
  });

  test("on Windows", () => {
    expect(parseChatLine("C:\\my\\cat.png what?", { exists, windows: true })).toMatchObject({
      text: "what?",
      pictures: ["C:\\my\\cat.png"],
    });
  });

  test("one path that is the whole", () => {
    expect(onePath("my\\ cat.png", false)).toBe("my cat.png");
    expect(onePath("my cat.png", false)).toBe("my cat.png");
    expect(onePath("'my cat.png'", false)).toBe("my cat.png");
    expect(onePath("a\\b.png", true)).toBe("a\\b.png");
    expect(() => onePath("file://elsewhere/%zz", false)).toThrow("expected the address of a file");
  });
});

test("any line is read, or refused in one line", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 200 }), (line) => {
      try {
        parse(line);
      } catch (error) {
        expect(error).toBeInstanceOf(SeedlingError);
        expect((error as Error).message).not.toMatch(/[\r\n]/);
      }
    }),
  );
  const slow = `${"\\a".repeat(50_000)}'.png`;
  const start = performance.now();
  parse(slow);
  expect(performance.now() - start).toBeLessThan(2000);
});
