import { posix } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { basename, dirname, join } from "./url-paths.ts";

test("addresses keep their host", () => {
  expect(join("https://host/models/mini", "unet/config.json")).toBe("https://host/models/mini/unet/config.json");
  expect(join("https://host", "a", "..", "..", "b")).toBe("https://host/b");
  expect(join("https://host/a/", "../b.json")).toBe("https://host/b.json");
  expect(dirname("https://host/a/b.json")).toBe("https://host/a");
  expect(dirname("https://host/a")).toBe("https://host/");
  expect(basename("https://host/a/b.json")).toBe("b.json");
});

test("paths are joined and split as Node does it", () => {
  const part = fc.stringMatching(/^(\/?(a|b\.json|\.|\.\.|))+$/);
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 4 }), (parts) => {
      expect(join(...parts)).toBe(posix.join(...parts).replace(/(.)\/$/, "$1"));
    }),
  );
  for (const path of ["a", "a/b", "/a", "/a/b/", "/"]) {
    expect(dirname(path)).toBe(posix.dirname(path));
    expect(basename(path)).toBe(posix.basename(path));
  }
});
