/** A user's own data in the states in which it arrives: nothing is mis-paired, mis-decoded or dropped without a line. */
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { pack } from "tar-stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { decodeText } from "../base/decode-text.ts";
import { SeedlingError } from "../base/errors.ts";
import { encodePng } from "../image/index.ts";
import { captionList } from "./caption-files.ts";
import { parseDelimited } from "./delimited.ts";
import { openDataset } from "./loader.ts";
import { readShard } from "./webdataset.ts";

const FAULTS = "test/fixtures/faults";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "seedling-own-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const picture = (red: number) => encodePng({ width: 6, height: 4, data: new Uint8Array(72).fill(red) });

async function put(files: Record<string, string | Uint8Array>): Promise<void> {
  for (const [name, contents] of Object.entries(files)) {
    await mkdir(join(folder, name, ".."), { recursive: true });
    await writeFile(join(folder, name), contents);
  }
}

/** A tar of files and links, as they come. */
async function tarOf(
  entries: readonly (readonly [name: string, contents: string | Uint8Array | { link: string; type?: string }])[],
) {
  const tar = pack();
  for (const [name, contents] of entries) {
    if (typeof contents === "string" || contents instanceof Uint8Array) tar.entry({ name }, Buffer.from(contents));
    else tar.entry({ name, type: (contents.type ?? "link") as "link", linkname: contents.link });
  }
  tar.finalize();
  const parts: Uint8Array[] = [];
  for await (const part of tar) parts.push(part as Uint8Array);
  return Buffer.concat(parts);
}

/** Captions with the red value of their pictures, and what was reported. */
async function open(source: string | string[], size = 4) {
  const said: string[] = [];
  const dataset = await openDataset(source, { size, onProblem: (line) => said.push(line.replaceAll(folder, "")) });
  const pairs: string[] = [];
  for (let i = 0; i < dataset.length; i++) {
    const { caption, image } = await dataset.get(i);
    pairs.push(`${caption}: ${image.data[0]}`);
  }
  return { pairs: pairs.sort(), said, dataset };
}

describe("tars", () => {
  test("the picture of a sample is the file that ends in exactly png", async () => {
    const { dataset, said } = await open(`${FAULTS}/tar-multi-ext/multi.tar`);
    expect(dataset.length).toBe(2);
    for (const i of [0, 1]) {
      const { caption, image } = await dataset.get(i);
      const [r, , b] = image.data;
      expect(/red/.test(caption) ? r! > 200 && b! < 50 : b! > 200 && r! < 50, caption).toBe(true);
    }
    expect(said).toEqual([
      `${FAULTS}/tar-multi-ext/multi.tar: left out 000.depth.png and 1 more: the picture of a sample ends in exactly .png, .jpg, .webp, .gif or .avif after its first dot.`,
    ]);
  });

  test("hard and symbolic links have the contents of their targets, captions too", async () => {
    const { dataset, said } = await open(`${FAULTS}/tar-links/links.tar`);
    expect(dataset.length).toBe(4);
    expect(said).toEqual([]);
    await put({
      "a.tar": await tarOf([
        ["x/0.png", { link: "../y/0.png", type: "symlink" }], // leads to what comes later
        ["x/0.txt", { link: "./y/0.txt" }],
        ["y/0.png", await picture(50)],
        ["./y/0.txt", "fifty"],
        ["x/1.png", { link: "/etc/passwd", type: "symlink" }],
        ["x/1.txt", "stolen"],
        ["x/2.png", { link: "2.png", type: "symlink" }], // itself
        ["x/2.txt", "circle"],
        ["x/3.png", { link: "", type: "character-device" }],
      ]),
    });
    const own = await open(join(folder, "a.tar"));
    expect(own.pairs).toEqual(["fifty: 50", "fifty: 50"]);
    expect(own.said).toEqual([
      '/a.tar: "x/3.png" is left out: expected a file, got a character-device.',
      '/a.tar: "x/1.png" is a link to "/etc/passwd", which is not in the tar.',
      '/a.tar: "x/2.png" is a link to "x/2.png", which is not in the tar.',
    ]);
  });

  test("a key that comes again is another sample; hidden files and other kinds are counted", async () => {
    await put({
      "a.tar": await tarOf([
        ["0.png", await picture(10)],
        ["0.txt", "ten"],
        ["0.npy", "numbers"],
        ["._0.png", "a resource fork"],
        ["README", "hello"],
        ["1.png", await picture(20)],
        ["1.jpg", "the same"],
        ["1.json", `{"caption": "no`],
        ["1.txt", "twenty"],
        ["0.png", await picture(30)],
        ["0.txt", "thirty"],
        ["img.001.jpg", "a picture"],
        ["img.001.txt", "a caption"],
      ]),
    });
    const { pairs, said } = await open(join(folder, "a.tar"));
    expect(pairs).toEqual(["ten: 10", "thirty: 30", "twenty: 20"]);
    expect(said).toEqual([
      expect.stringMatching(/^\/a.tar: 1.json: expected JSON \(.+\)\. Correct the file\.$/),
      "/a.tar: left out README: no key with an ending, as WebDataset has them.",
      "/a.tar: 0: a key that comes again; each time is a sample of its own.",
      `/a.tar: img: no picture among its files (001.jpg, 001.txt). A sample's name ends at its first dot: rename "img.001.jpg" to img.png or the like.`,
      "/a.tar: several pictures in a sample; the first is used: 1.png.",
      "/a.tar: left out 1 file of another kind (1 .npy).",
    ]);
  });

  test("a compressed tar is named as such", async () => {
    await put({ "a.tar.gz": Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0) });
    await expect(open(join(folder, "a.tar.gz"))).rejects.toThrow("no picture with a caption");
    const said: string[] = [];
    for await (const _ of readShard(
      (async function* () {
        yield Uint8Array.of(0x50, 0x4b, 3, 4, 9);
      })(),
      "x",
      (line) => said.push(line),
    ))
      expect.fail();
    expect(said).toEqual(["x: expected a plain tar, got a zip file. Unpack it first."]);
  });

  test("of a stream, links are named and left out", async () => {
    const bytes = await tarOf([
      ["0.png", "picture"],
      ["1.png", { link: "0.png" }],
      ["1.txt", "one"],
      ["1.txt", "two"],
    ]);
    const said: string[] = [];
    const keys: string[] = [];
    for await (const { key, files } of readShard([bytes] as never, "x", (line) => said.push(line)))
      keys.push(`${key} ${Object.keys(files)}`);
    expect(keys).toEqual(["0 png", "1 txt"]);
    expect(said).toEqual([
      'x: "1.png" is left out: a link to "0.png".',
      'x: "1.txt" is left out: a second file of this name.',
    ]);
  });
});

describe("folders", () => {
  test("captions in UTF-8 and UTF-16 are what people wrote", async () => {
    const { dataset, said } = await open(`${FAULTS}/caption-encodings`);
    expect([...dataset.captions()]).toEqual([
      "a red cat with emoji 🐱",
      "a café with a red door",
      "a café with a red door",
    ]);
    expect(said).toEqual([]);
    const big = Buffer.from("\ufeffein Bär", "utf16le").swap16();
    await put({
      "a.png": await picture(10),
      "a.txt": big,
      "b.png": await picture(20),
      "b.txt": Buffer.from("caf\xe9", "latin1"),
      "c.png": await picture(30),
      "c.txt": "caf\ufffd",
      "d.png": await picture(40),
      "d.txt": big.subarray(0, -1),
      "e.png": await picture(50),
      "e.txt": Buffer.from("unmarked", "utf16le"),
    });
    const own = await open(folder);
    expect(own.pairs).toEqual(["ein Bär: 10"]);
    expect(own.said.filter((line) => !line.includes("no caption"))).toEqual([
      "/b.txt: expected UTF-8 text, got other bytes. Save it as UTF-8.",
      "/c.txt: expected whole text, got replacement characters (U+FFFD). Save the original as UTF-8.",
      "/d.txt: expected whole UTF-16BE text, got other bytes. Save it as UTF-8.",
      "/e.txt: expected text, got zero bytes. Save it as UTF-8.",
    ]);
  });

  test("lists count in every folder, as tables too, under names as Windows writes them", async () => {
    await put({
      "deep/captions.csv":
        'file_name,width,caption\r\na.png,6,"a dog, and ""a"" cat"\r\nIMG\\B.PNG,6,a car\r\ngone.png,6,x\r\nshort\r\n',
      "deep/a.png": await picture(10),
      "deep/img/b.png": await picture(20),
      "flat/captions.tsv": 'c.png\ta tree\n\nd.png\ta "big" fish\n',
      "flat/c.png": await picture(30),
      "flat/d.png": await picture(40),
      "E.PNG": await picture(50),
      "E.TXT": "upper case",
      "u\u0308.png": await picture(60),
      "\u00fc.txt": "composed",
      "metadata.jsonl": `{"file_name": "f.png", "text": "a star"}\n{"file_name": "f.png", "text": "a red star"}\n`,
      "captions.json": `{"f.png": "a star"}`,
      "f.png": await picture(70),
      "shards/0.tar": await tarOf([
        ["0.png", await picture(80)],
        ["0.txt", "in a tar"],
      ]),
    });
    const { pairs, said, dataset } = await open(folder);
    expect(pairs.filter((line) => !line.includes("star"))).toEqual(
      [
        'a "big" fish: 40',
        "a car: 20",
        'a dog, and "a" cat: 10',
        "a tree: 30",
        "composed: 60",
        "in a tar: 80",
        "upper case: 50",
      ].sort(),
    );
    expect([...dataset.captions()].filter((caption) => caption.includes("star"))).toEqual(["a star", "a red star"]);
    expect(said).toEqual([
      "/deep/captions.csv line 5: expected 3 fields with a name and a caption, got 1.",
      '/deep/captions.csv: lists "gone.png", which is not in the folder.',
    ]);
  });

  test("what is left out is counted, JSON that cannot be parsed is named", async () => {
    await put({
      "a.png": await picture(10),
      "a.json": `{"caption": "a dog`,
      "b.png": await picture(20),
      "b.txt": "a cat",
      "b.json": `{"width": 4}`,
      "lost.txt": "no picture",
      "notes/readme.txt": "hello",
      "c.heic": "x",
      "d.heic": "x",
      "Thumbs.db": "x",
      ".hidden.png": "x",
    });
    const { pairs, said } = await open([folder, join(folder, "notes", "..")]);
    expect(pairs).toEqual(["a cat: 20"]);
    expect(said).toEqual([
      expect.stringMatching(/^\/a.json: expected JSON \(.+\)\. Correct the file\.$/),
      "/a.png: no caption. Put it into a.txt next to the picture.",
      "/lost.txt and 1 more: a caption without a picture.",
      ": left out 3 files of other kinds (2 .heic, 1 .db).",
      ": named more than once; it counts once.",
    ]);
  });

  test("linked folders and circles of links are visited once, under the name of the real one", async () => {
    await put({ "photos/turtle.png": await picture(10), "photos/turtle.txt": "a turtle" });
    await put({ "photos/sub/b.png": await picture(20), "photos/sub/b.txt": "a bee" });
    await put({ "elsewhere/c.png": await picture(30), "elsewhere/c.txt": "a car" });
    await symlink(".", join(folder, "photos/loop"));
    await symlink("..", join(folder, "photos/sub/up"));
    await symlink("sub", join(folder, "photos/a-link"));
    await symlink("../elsewhere", join(folder, "photos/linked"));
    await symlink("nowhere.png", join(folder, "photos/dangling.png"));
    const { pairs, said } = await open(join(folder, "photos"));
    expect(pairs).toEqual(["a bee: 20", "a car: 30", "a turtle: 10"]);
    expect(said).toEqual(["/photos/dangling.png: no caption. Put it into dangling.txt next to the picture."]);
  });

  test("pictures of extreme shapes cost a moment, not gigabytes", async () => {
    const before = process.memoryUsage().rss;
    const start = process.cpuUsage();
    const { dataset, said } = await open(`${FAULTS}/thin`, 64);
    expect(dataset.length).toBe(4);
    expect(said).toEqual([]);
    expect(process.cpuUsage(start).user).toBeLessThan(2e6); // µs
    expect(process.memoryUsage().rss - before).toBeLessThan(200e6);
  });
});

describe("damaged bytes end in lines, quickly", () => {
  const lines = (report: readonly string[]) => {
    for (const line of report) expect(line).toMatch(/^[^\r\n]+$/);
  };

  test("texts", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          expect(decodeText(bytes, "a.txt")).not.toMatch(/[\0\uFFFD]/);
        } catch (error) {
          expect((error as Error).message).toMatch(/^a\.txt: expected [^\n]+ Save [^\n]+ as UTF-8\.$/);
        }
      }),
    );
  });

  test("lists of every form", () => {
    const seeds = ['{"a.png": ["a dog"]}', '[{"file": "a.png", "text": "x"}]', "file,caption\na.png,x\n", '"a"\t"b"\n'];
    fc.assert(
      fc.property(
        fc.constantFrom(...seeds),
        fc.constantFrom("a.json", "a.jsonl", "a.csv", "a.tsv"),
        fc.array(fc.tuple(fc.nat(), fc.string({ maxLength: 4 })), { maxLength: 4 }),
        (seed, where, edits) => {
          let text = seed;
          for (const [at, put] of edits)
            text = text.slice(0, at % text.length) + put + text.slice((at % text.length) + 1);
          const said: string[] = [];
          for (const captions of captionList(text, where, (line) => said.push(line)).values())
            for (const caption of captions) expect(caption).toMatch(/^\S.*$/u);
          lines(said);
        },
      ),
      { numRuns: 500 },
    );
  });

  test("JSON a hundred thousand levels deep, and a table of nothing but quotes", () => {
    const deep = "[".repeat(1e5) + "]".repeat(1e5);
    const wrapped = `[{"file": "a.png", "caption": ${deep}}, ${deep}]`;
    for (const [text, where] of [
      [deep, "a.json"],
      [wrapped, "a.json"],
      [deep, "a.jsonl"],
      ['"'.repeat(1e6 + 1), "a.csv"],
    ] as const) {
      const said: string[] = [];
      expect(captionList(text, where, (line) => said.push(line)).size).toBe(0);
      lines(said);
      expect(said.length).toBeGreaterThan(0);
    }
  });

  test("tables come back as they were written", () => {
    const field = fc.string({ maxLength: 8 });
    const written = (value: string) => `"${value.replaceAll('"', '""')}"`;
    fc.assert(
      fc.property(fc.array(fc.array(field, { minLength: 2, maxLength: 4 })), fc.constantFrom(",", "\t"), (rows, by) => {
        const text = rows.map((row) => row.map(written).join(by)).join("\r\n");
        expect(parseDelimited(text, by as ",").rows.map((row) => row.fields)).toEqual(rows);
      }),
    );
  });

  test("tars with links and sizes that lie", async () => {
    const whole = await tarOf([
      ["0.png", await picture(10)],
      ["0.txt", "ten"],
      ["1.png", { link: "0.png" }],
      ["1.txt", { link: "0.txt", type: "symlink" }],
    ]);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(2048), fc.nat(255)), { minLength: 1, maxLength: 5 }),
        fc.boolean(),
        async (edits, checksum) => {
          const bytes = Buffer.from(whole);
          for (const [at, value] of edits) bytes[at] = value;
          // With its checksum mended a damaged header is believed, whatever size it claims.
          if (checksum)
            for (let at = 0; at + 512 <= bytes.length; at += 512) mendChecksum(bytes.subarray(at, at + 512));
          await writeFile(join(folder, "x.tar"), bytes);
          const said: string[] = [];
          try {
            const dataset = await openDataset(join(folder, "x.tar"), { size: 4, onProblem: (line) => said.push(line) });
            for (let i = 0; i < dataset.length; i++) await dataset.get(i);
          } catch (error) {
            expect(error).toBeInstanceOf(SeedlingError);
            said.push((error as Error).message);
          }
          lines(said);
        },
      ),
      { numRuns: 150 },
    );
  });
});

function mendChecksum(header: Buffer): void {
  if (header.toString("latin1", 257, 262) !== "ustar") return;
  header.fill(" ", 148, 156);
  header.write(
    `${header
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, "0")}\0 `,
    148,
    "latin1",
  );
}
