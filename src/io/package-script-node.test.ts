import { expect, test } from "vitest";
import { packageScript } from "./package-script-node.ts";

test("a script of the package runs from wherever the person is", () => {
  expect(packageScript("icons")).toBe("npm run icons");
  const at = (from: string, root: string): string => packageScript("icons", from, root);
  expect(at("/a", "/a/node_modules/seedling/")).toBe("npm run icons --prefix node_modules/seedling");
  expect(at("/a/b", "/a/node_modules/seedling/")).toBe("npm run icons --prefix /a/node_modules/seedling");
  expect(at("/b", "/neue Bilder ä/seedling/")).toBe('npm run icons --prefix "/neue Bilder ä/seedling"');
});
