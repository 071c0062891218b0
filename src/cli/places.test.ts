import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SetupError } from "../base/errors.ts";
import { expectFilePlace, expectFolderPlace } from "./places.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "seedling-places-"));
});
afterAll(() => rm(folder, { recursive: true }));

test("whether a place can be written is known before the work", async () => {
  const file = join(folder, "taken.txt");
  await writeFile(file, "mine");
  await expectFilePlace(file);
  await expectFilePlace(join(folder, "new.txt"));
  await expectFolderPlace(join(folder, "deep", "er"));
  const refused = async (check: Promise<void>, message: string): Promise<void> => {
    const error: unknown = await check.then(
      () => undefined,
      (e: unknown) => e,
    );
    expect(error).toBeInstanceOf(SetupError);
    expect((error as Error).message).toBe(message);
  };
  await refused(expectFilePlace(folder), `${folder}: expected a file, got a folder. Name a file.`);
  const lost = join(folder, "missing", "a.txt");
  await refused(expectFilePlace(lost), `${lost}: its folder does not exist. Make it first, or choose another place.`);
  const inside = join(file, "a.txt");
  await refused(expectFilePlace(inside), `${inside}: a part of this path is a file, not a folder. Check the path.`);
  await refused(expectFolderPlace(file), `${file}: expected a folder, got a file. Choose another place.`);
  await refused(expectFolderPlace(inside), `${inside}: a part of this path is a file, not a folder. Check the path.`);
  if (process.getuid?.() === 0 || process.platform === "win32") return; // root may write everywhere
  await mkdir(join(folder, "locked"));
  await chmod(join(folder, "locked"), 0o500);
  await refused(
    expectFolderPlace(join(folder, "locked", "a")),
    `${join(folder, "locked", "a")}: permission denied. Check who owns the file and its folder.`,
  );
  await chmod(join(folder, "locked"), 0o700);
});
