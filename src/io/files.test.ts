import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { InputError, SetupError, UsageError } from "../base/errors.ts";
import { readFileBounded, writeAtomic, writeFileAtomic } from "./files.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "seedling-files-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function failure(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    () => expect.fail("expected an error"),
    (error: Error) => error,
  );
}

describe("writing", () => {
  test("makes and replaces a file, and leaves nothing next to it", async () => {
    const path = join(folder, "fresh", "a.bin");
    await mkdir(join(folder, "fresh"));
    await writeFileAtomic(path, Uint8Array.of(1, 2));
    await writeFileAtomic(path, "three");
    expect(await readFile(path, "utf8")).toBe("three");
    expect(await readdir(join(folder, "fresh"))).toEqual(["a.bin"]);
  });

  test.each([
    ["ENOSPC", "the disk is full; nothing was written. Free some space or choose another place."],
    ["EACCES", "permission denied. Check who owns the file and its folder."],
  ])("%s keeps the old file, removes the new one and says so in one line", async (code, message) => {
    const path = join(folder, code, "old.txt");
    await mkdir(join(folder, code));
    await writeFile(path, "old");
    const error = await failure(
      writeAtomic(path, async (file) => {
        await file.writeFile("half of the n");
        throw Object.assign(new Error(`${code}: something long\nand more`), { code });
      }),
    );
    expect(error).toBeInstanceOf(SetupError);
    expect(error.message).toBe(`${path}: ${message}`);
    expect(await readFile(path, "utf8")).toBe("old");
    expect(await readdir(join(folder, code))).toEqual(["old.txt"]);
  });

  test("an error of the writer itself passes through", async () => {
    const error = await failure(
      writeAtomic(join(folder, "x"), async () => {
        throw new UsageError("wrong");
      }),
    );
    expect(error).toBeInstanceOf(UsageError);
  });

  test("a missing folder, a folder in the place of the file", async () => {
    const missing = join(folder, "no", "x");
    expect((await failure(writeFileAtomic(missing, "x"))).message).toBe(
      `${missing}: its folder does not exist. Make it first, or choose another place.`,
    );
    expect((await failure(writeFileAtomic(folder, "x"))).message).toBe(
      `${folder}: expected a file, got a folder. Name a file.`,
    );
  });

  test.skipIf(process.getuid?.() === 0)("a folder that may not be written (root may write anywhere)", async () => {
    const closed = join(folder, "closed");
    await mkdir(closed);
    await chmod(closed, 0o555);
    expect((await failure(writeFileAtomic(join(closed, "x"), "x"))).message).toContain("permission denied");
  });

  test("a link keeps pointing; a device is written to, not replaced", async () => {
    await writeFile(join(folder, "real"), "old");
    await symlink("real", join(folder, "link"));
    await writeFileAtomic(join(folder, "link"), "new");
    expect(await readFile(join(folder, "real"), "utf8")).toBe("new");
    if (process.platform !== "win32") {
      await symlink("/dev/null", join(folder, "null"));
      await writeFileAtomic(join(folder, "null"), "gone");
      expect(await readFile(join(folder, "null"), "utf8")).toBe("");
    }
  });
});

describe("reading", () => {
  test("within the limit, beyond it, missing, a folder", async () => {
    const path = join(folder, "ten");
    await writeFile(path, "0123456789");
    expect(Buffer.from(await readFileBounded(path, 10)).toString()).toBe("0123456789");
    const large = await failure(readFileBounded(path, 9));
    expect(large.message).toBe(`${path}: expected at most 9 bytes, got 10.`);
    const missing = await failure(readFileBounded(join(folder, "none"), 9));
    expect(missing).toBeInstanceOf(InputError);
    expect(missing.message).toBe(`${join(folder, "none")}: no such file or folder. Check the path.`);
    expect((await failure(readFileBounded(folder, 1e9))).message).toBe(
      `${folder}: expected a file, got a folder. Name a file.`,
    );
  });
});
