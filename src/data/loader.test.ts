import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { SeedlingError } from "../base/errors.ts";
import { Rng } from "../base/rng.ts";
import { decodeImage, encodePng } from "../image/index.ts";
import { captionList, captionsBeside } from "./caption-files.ts";
import { type DatasetOptions, openDataset } from "./loader.ts";
import { readShard, type ShardSample, splitName, writeShard, writeShards } from "./webdataset.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "seedling-loader-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A picture whose red channel tells which one it is. */
const picture = (red: number) => encodePng({ width: 6, height: 4, data: new Uint8Array(72).fill(red) });

async function put(files: Record<string, string | Uint8Array>): Promise<void> {
  for (const [name, contents] of Object.entries(files)) {
    await mkdir(join(folder, name, ".."), { recursive: true });
    await writeFile(join(folder, name), contents);
  }
}

async function open(source: string | string[], options: Partial<DatasetOptions> = {}) {
  const messages: string[] = [];
  const onProblem = (message: string) => messages.push(message.replaceAll(folder, ""));
  return { dataset: await openDataset(source, { size: 4, onProblem, ...options }), messages };
}

const shardSamples = async (count: number): Promise<ShardSample[]> =>
  Promise.all(
    Array.from({ length: count }, async (_, i) => ({
      key: `00000${i}`,
      files: { png: await picture(i * 10), txt: `picture ${i}` },
    })),
  );

describe("folders", () => {
  test("captions come from .txt, .json and lists; what lacks one or is broken is named, skipped and counted", async () => {
    await put({
      "a.png": await picture(10),
      "a.txt": "a  red\ndog\n",
      "deep/b.png": await picture(20),
      "deep/b.json": `{"caption": "a cat"}`,
      "c.png": await picture(30),
      "metadata.jsonl": `{"file_name": "c.png", "text": "a car"}\n{"file_name": "gone.png", "text": "x"}\nnonsense\n`,
      "no-words.png": await picture(40),
      "empty.png": await picture(50),
      "empty.txt": " \n",
      "broken.png": (await picture(60)).subarray(0, 50),
      "broken.txt": "a broken picture",
      "text.png": "this is not a picture",
      "text.txt": "a text",
    });
    const { dataset, messages } = await open(folder);
    expect(dataset.length).toBe(5);
    expect([...dataset.captions()].sort()).toEqual(["a broken picture", "a car", "a cat", "a red dog", "a text"]);
    const samples = await Promise.all(Array.from({ length: 5 }, (_, i) => dataset.get(i)));
    expect(new Set(samples.map((s) => `${s.caption} ${s.image.width}x${s.image.height} ${s.image.data[0]}`))).toEqual(
      new Set(["a red dog 4x4 10", "a cat 4x4 20", "a car 4x4 30"]),
    );
    expect(Object.fromEntries(dataset.problems)).toEqual({
      "broken caption file": 2,
      "missing caption": 2,
      "broken image": 2,
    });
    expect(messages).toContain("/no-words.png: no caption. Put it into no-words.txt next to the picture.");
    expect(messages).toContain('/metadata.jsonl: lists "gone.png", which is not in the folder.');
    expect(messages.some((m) => m.startsWith("/metadata.jsonl line 3: expected JSON ("))).toBe(true);
    expect(messages.some((m) => m.startsWith("/text.png: expected a PNG, JPEG"))).toBe(true);
  });

  test("every sample once in each round, in another order; any index starts again where it was", async () => {
    for (let i = 0; i < 8; i++) await put({ [`${i}.png`]: await picture(i), [`${i}.txt`]: `number ${i}` });
    const { dataset } = await open(folder, { seed: 3 });
    const keys = async (from: number) =>
      (await Promise.all([0, 1, 2, 3, 4, 5, 6, 7].map((i) => dataset.get(from + i)))).map((s) => s.caption);
    const [first, second] = [await keys(0), await keys(8)];
    expect(new Set(first).size).toBe(8);
    expect(new Set(second).size).toBe(8);
    expect(second).not.toEqual(first);
    const { dataset: again } = await open(folder, { seed: 3 });
    expect((await again.get(11)).caption).toBe(second[3]);
    expect(again.identity).toBe(dataset.identity);
    const { dataset: other } = await open(folder, { seed: 4 });
    expect(other.identity).not.toBe(dataset.identity);
  });

  test("captions alone are those of the samples, and every picture is decoded once at most", async () => {
    for (let i = 0; i < 8; i++)
      await put({ [`${i}.png`]: await picture(i), [`${i}.json`]: `{"captions": ["number ${i}", "${i}"]}` });
    await put({ "3.png": "broken", "6.png": (await picture(6)).subarray(0, 50) });
    let decoded = 0;
    const decode: DatasetOptions["decode"] = async (bytes, where) => {
      decoded++;
      return decodeImage(bytes, where);
    };
    const { dataset, messages } = await open(folder, { decode });
    const indices = Array.from({ length: 50 }, (_, i) => i);
    const captions = await Promise.all(indices.map((i) => dataset.caption(i)));
    expect(decoded).toBe(8);
    expect(messages).toHaveLength(2);
    expect(captions).toEqual((await Promise.all(indices.map((i) => dataset.get(i)))).map(({ caption }) => caption));
    expect(new Set(captions).size).toBeGreaterThan(6); // either one of the two captions
  });

  test("a split holds out as many pictures as asked for, and all captions of one picture are on one side", async () => {
    for (let i = 0; i < 20; i++) await put({ [`${i}.png`]: await picture(i), [`${i}.txt`]: `number ${i}` });
    // The same bytes under other names, in a folder and in a tar; and other bytes of the same length.
    for (let i = 0; i < 20; i++) await put({ [`copies/${i}.png`]: await picture(i), [`copies/${i}.txt`]: `copy ${i}` });
    await writeShard(join(folder, "more.tar"), await shardSamples(2));
    const { dataset } = await open(folder);
    const { train, validation } = (await dataset.split(7))!;
    expect(train.length + validation.length).toBe(42);
    expect(validation.length).toBeGreaterThanOrEqual(7);
    expect(validation.length).toBeLessThanOrEqual(9); // a group stays whole
    const pictures = async ({ get, length }: typeof train) =>
      new Set((await Promise.all(Array.from({ length }, (_, i) => get(i)))).map(({ image }) => image.data[0]));
    const [learned, held] = [await pictures(train), await pictures(validation)];
    expect([...held].filter((one) => learned.has(one))).toEqual([]);
    const both = [...train.captions(), ...validation.captions()].sort();
    expect(both).toEqual([...dataset.captions()].sort());
    expect(new Set([dataset, train, validation].map(({ identity }) => identity)).size).toBe(3);
    expect([...(await (await open(folder)).dataset.split(7))!.validation.captions()]).toEqual([
      ...validation.captions(),
    ]);
    expect(await dataset.split(0)).toBeUndefined();
    expect(await dataset.split(42)).toBeUndefined();
  });

  test("a caption file or list that is too large or cannot be read is named and counted; the others are used", async () => {
    const large = "a dog ".repeat(200_000);
    await put({
      "a.png": await picture(10),
      "a.txt": large,
      "b.png": await picture(20),
      "b.json": `{"caption": "${large}"}`,
      "c.png": await picture(30),
      "c.txt": "a car",
      "captions.json": "",
      // A picture with a broken .txt may still have a .json.
      "d.png": await picture(40),
      "d.txt": large,
      "d.json": `"a cat"`,
    });
    await truncate(join(folder, "captions.json"), 513 * 1024 ** 2);
    const { dataset, messages } = await open(folder);
    expect([...dataset.captions()]).toEqual(["a car", "a cat"]);
    expect(Object.fromEntries(dataset.problems)).toEqual({ "broken caption file": 4, "missing caption": 2 });
    expect(messages).toEqual([
      "/captions.json: expected at most 536870912 bytes, got 537919488.",
      "/a.txt: expected at most 1048576 bytes, got 1200000.",
      "/a.png: no caption. Put it into a.txt next to the picture.",
      "/b.json: expected at most 1048576 bytes, got 1200015.",
      "/b.png: no caption. Put it into b.txt next to the picture.",
      "/d.txt: expected at most 1048576 bytes, got 1200000.",
    ]);
  });

  // A file that opens and refuses to be read, whoever asks: root may read what has no permissions.
  test.runIf(existsSync("/proc/self/mem"))("a caption file that the system refuses is one of them", async () => {
    await put({ "a.png": await picture(10), "b.png": await picture(20), "b.txt": "a cat" });
    await symlink("/proc/self/mem", join(folder, "a.txt"));
    const { dataset, messages } = await open(folder);
    expect([...dataset.captions()]).toEqual(["a cat"]);
    expect(messages[0]).toMatch(/^\/a\.txt: .+\.$/);
    expect(Object.fromEntries(dataset.problems)).toEqual({ "broken caption file": 1, "missing caption": 1 });
  });

  test("another picture under the same name is another data set", async () => {
    await put({ "a.png": await picture(10), "a.txt": "a dog" });
    const path = join(folder, "one.tar");
    await writeShard(path, await shardSamples(1));
    const identity = async (source: string): Promise<string> => (await open(source)).dataset.identity;
    const before = [await identity(folder), await identity(path)];
    expect([await identity(folder), await identity(path)]).toEqual(before);
    await put({ "a.png": await picture(11) });
    await writeShard(path, [{ key: "000000", files: { png: await picture(1), txt: "picture 0" } }]);
    expect(await identity(folder)).not.toBe(before[0]);
    expect(await identity(path)).not.toBe(before[1]);
  });

  test("parts report a broken picture once and count together; none is held out", async () => {
    await put({ "a.png": "broken", "a.txt": "a dog", "b.png": await picture(20), "b.txt": "a cat" });
    await put({ "c.png": await picture(30), "d.png": await picture(40), "d.txt": "a cow" });
    const { dataset, messages } = await open(folder);
    const { train, validation } = (await dataset.split(1))!;
    expect([train.length, validation.length]).toEqual([2, 1]);
    expect([...train.captions()]).toContain("a dog");
    for (const part of [dataset, train, validation]) for (const i of [0, 1]) await part.get(i);
    expect(messages).toHaveLength(2);
    expect(Object.fromEntries(validation.problems)).toEqual({ "missing caption": 1, "broken image": 1 });
  });

  test("nothing usable, nothing found, nothing whole", async () => {
    await put({ "a.png": "broken", "b/a.png": await picture(1) });
    await expect(open(join(folder, "b"))).rejects.toThrow("no picture with a caption. Put a .txt next to each picture");
    await expect(open(join(folder, "none"))).rejects.toThrow("none: no such file or folder.");
    await expect(open(join(folder, "*.tar"))).rejects.toThrow("expected at least one match, got none.");
    await put({ "a.txt": "a dog" });
    const { dataset } = await open(folder);
    await expect(dataset.get(0)).rejects.toThrow("every picture is broken");
  });
});

describe("WebDataset tars", () => {
  test("the same samples give the same bytes, and come back from the stream as they were", async () => {
    const samples = await shardSamples(3);
    const [a, b] = [join(folder, "a.tar"), join(folder, "b.tar")];
    expect(await writeShard(a, samples)).toBe(3);
    await writeShard(b, samples);
    const bytes = await readFile(a);
    expect(bytes.equals(await readFile(b))).toBe(true);
    const back: ShardSample[] = [];
    for await (const sample of readShard(chunks(bytes, 700), "a.tar", (problem) => expect.fail(problem)))
      back.push(sample);
    expect(back.map(({ key, files }) => [key, Buffer.from(files.txt!).toString()])).toEqual(
      samples.map(({ key, files }) => [key, files.txt]),
    );
    expect(back.every(({ files }, i) => Buffer.from(files.png!).equals(Buffer.from(samples[i]!.files.png!)))).toBe(
      true,
    );
  });

  test("shards hold a number of samples each, and a pattern of them is one data set", async () => {
    const paths = await writeShards(join(folder, "out"), await shardSamples(5), { perShard: 2 });
    expect(paths.map((path) => path.slice(-9))).toEqual(["00000.tar", "00001.tar", "00002.tar"].map((n) => n));
    const { dataset, messages } = await open(join(folder, "out", "*.tar"));
    const samples = await Promise.all(Array.from({ length: 5 }, (_, i) => dataset.get(i)));
    const found = samples.map(({ caption, image }) => `${caption}: ${image.data[0]}`).sort();
    expect(found).toEqual([0, 1, 2, 3, 4].map((i) => `picture ${i}: ${i * 10}`));
    expect(messages).toEqual([]);
  });

  test("long names keep the position of their contents", async () => {
    const key = `${"folder/".repeat(20)}${"x".repeat(150)}`;
    const path = join(folder, "long.tar");
    await writeShard(path, [{ key, files: { png: await picture(70), txt: "ein Bär", json: "{}" } }]);
    const { dataset } = await open(path);
    expect(await dataset.get(0)).toMatchObject({ caption: "ein Bär", image: { data: new Uint8Array(48).fill(70) } });
  });

  test("a tar that is cut off or damaged is named, and gives the samples before that", async () => {
    const path = join(folder, "cut.tar");
    await writeShard(path, await shardSamples(4));
    const bytes = await readFile(path);
    await writeFile(path, bytes.subarray(0, 3 * 2048 + 512 + 20));
    const { dataset, messages } = await open(path);
    expect([...dataset.captions()]).toEqual(["picture 0", "picture 1", "picture 2"]);
    expect(messages).toHaveLength(1);
    expect(messages[0]).toMatch(
      /^\/cut.tar: the tar is damaged or cut off in or after "000003.png" \(.+\)\. Copy it again\. The samples/,
    );

    const damaged = Buffer.from(bytes);
    damaged.fill(7, 2 * 2048, 2 * 2048 + 100);
    await writeFile(path, damaged);
    expect((await open(path)).dataset.length).toBe(1);

    const problems: string[] = [];
    const keys: string[] = [];
    for await (const { key } of readShard(chunks(damaged, 512), "x", (problem) => problems.push(problem)))
      keys.push(key);
    expect(keys).toEqual(["000000"]);
    expect(problems).toHaveLength(1);
  });

  test("samples without a picture or a caption are named", async () => {
    const path = join(folder, "part.tar");
    await writeShard(path, [
      { key: "ok", files: { jpg: await picture(1), json: `{"caption": ["a dog", "a hound"]}` } },
      { key: "words", files: { txt: "a dog" } },
      { key: "mute", files: { png: await picture(2) } },
    ]);
    const { dataset, messages } = await open(path);
    expect(dataset.length).toBe(1);
    expect(messages).toEqual([
      "/part.tar: words: no picture among its files (txt).",
      "/part.tar: mute: no caption. Add mute.txt.",
    ]);
    const said = await Promise.all(Array.from({ length: 20 }, (_, i) => dataset.get(i)));
    expect(new Set(said.map((sample) => sample.caption))).toEqual(new Set(["a dog", "a hound"]));
  });

  test("a failing source of samples leaves no tar behind", async () => {
    async function* failing(): AsyncGenerator<ShardSample> {
      yield { key: "a", files: { txt: "a" } };
      throw new Error("no more");
    }
    await expect(writeShard(join(folder, "x.tar"), failing())).rejects.toThrow("no more");
    await expect(readFile(join(folder, "x.tar"))).rejects.toThrow("ENOENT");
  });
});

describe("damaged bytes", () => {
  /** Some bytes changed, cut out, doubled, or the end cut off. */
  function damage(bytes: Uint8Array, rng: Rng): Uint8Array {
    const [at, count] = [rng.int(bytes.length), 1 + rng.int(40)];
    const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
    switch (rng.int(4)) {
      case 0:
        return Buffer.concat([before, Uint8Array.from({ length: count }, () => rng.int(256)), after.subarray(count)]);
      case 1:
        return Buffer.concat([before, after.subarray(count)]);
      case 2:
        return Buffer.concat([before, after.subarray(0, count), after]);
      default:
        return before;
    }
  }

  test("of a tar give whole samples and one line for each that is lost", async () => {
    const path = join(folder, "some.tar");
    await writeShard(path, await shardSamples(3));
    const whole = await readFile(path);
    const rng = new Rng(1);
    let lost = 0;
    for (let i = 0; i < 120; i++) {
      await writeFile(path, damage(whole, rng));
      const said: string[] = [];
      try {
        const dataset = await openDataset(path, { size: 4, onProblem: (message) => said.push(message) });
        for (let k = 0; k < dataset.length; k++) {
          const { image, caption } = await dataset.get(k);
          expect([image.width, image.height, image.data.length, typeof caption]).toEqual([4, 4, 48, "string"]);
        }
      } catch (error) {
        expect(error).toBeInstanceOf(SeedlingError);
        said.push((error as Error).message);
      }
      for (const message of said) expect(message).toMatch(/^[^\n]+$/);
      if (said.length > 0) lost++;
      for await (const { files } of readShard(chunks(damage(whole, rng), 700), "x", (m) =>
        expect(m).toMatch(/^x: .+$/),
      ))
        for (const bytes of Object.values(files)) expect(bytes.length).toBeLessThanOrEqual(whole.length);
    }
    expect(lost).toBeGreaterThan(40);
  });

  test("of caption files give captions and one line for each entry that is lost", () => {
    const lists = [
      `{"a.png": "a dog", "b.png": ["a cat", "a hound"]}`,
      `[{"file_name": "a.png", "caption": "a dog"}, {"image": "b.png", "text": "a cat"}]`,
      `{"images": [{"id": 1, "file_name": "a.png"}], "annotations": [{"image_id": 1, "caption": "a dog"}]}`,
    ];
    const rng = new Rng(2);
    for (let i = 0; i < 600; i++) {
      const text = new TextDecoder().decode(damage(Buffer.from(lists[i % 3]!), rng));
      const where = i % 2 ? "list.json" : "list.jsonl";
      const beside = (text: string, ending: string): string[] => {
        try {
          return captionsBeside(text, ending, "a.json");
        } catch (error) {
          expect((error as Error).message).toMatch(/^a\.json: expected JSON [^\n]+$/);
          return [];
        }
      };
      const found = captionList(text, where, (message) => expect(message).toMatch(/^list\.jsonl?[^\n]*$/));
      for (const captions of [...found.values(), beside(text, "json"), beside(text, "txt")])
        for (const caption of captions) expect(caption).toMatch(/^\S[^\n]*$/);
    }
  });
});

test("names split at the first dot of the file", () => {
  expect(splitName("a.b/000001.seg.PNG")).toEqual({ key: "a.b/000001", ending: "seg.png" });
  for (const name of ["plain", "a/.DS_Store", "a/._000001.png"])
    expect(splitName(name)).toEqual({ key: undefined, ending: "" });
});

test("captions next to a picture", () => {
  expect(captionsBeside(" a\tdog \n", "txt", "a.txt")).toEqual(["a dog"]);
  expect(captionsBeside(`"a dog"`, "json", "a.json")).toEqual(["a dog"]);
  expect(captionsBeside(`{"captions": ["a dog", " "]}`, "json", "a.json")).toEqual(["a dog"]);
  expect(captionsBeside(`{"label": 3}`, "json", "a.json")).toEqual([]);
  expect(() => captionsBeside("{", "json", "a.json")).toThrow("a.json: expected JSON (Expected property name");
});

test("lists of captions: by name, as entries, COCO", () => {
  const problems: string[] = [];
  const read = (value: unknown) =>
    Object.fromEntries(captionList(JSON.stringify(value), "captions.json", (problem) => problems.push(problem)));
  expect(read({ "a.png": "a dog", "b.png": ["x", "y"] })).toEqual({ "a.png": ["a dog"], "b.png": ["x", "y"] });
  expect(read([{ image: "a.png", caption: "a dog" }])).toEqual({ "a.png": ["a dog"] });
  const images = [{ id: 7, file_name: "a.png" }];
  const annotations = [7, 7, 8].map((image_id, i) => ({ image_id, caption: `c${i}` }));
  expect(read({ images, annotations })).toEqual({ "a.png": ["c0", "c1"] });
  expect(problems).toEqual(["captions.json: a caption belongs to picture 8, which is not listed."]);
  captionList("[", "captions.json", (problem) => problems.push(problem));
  expect(problems[1]).toBe("captions.json: expected JSON (Unexpected end of JSON input). Correct the file.");
});

async function* chunks(bytes: Uint8Array, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
