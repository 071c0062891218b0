/** How a person runs a script of this package, which may be installed in another one's node_modules. */
import { relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

const PACKAGE = fileURLToPath(new URL("../..", import.meta.url));

/** "npm run icons" in the folder of the package, "npm run icons --prefix node_modules/seedling" outside. */
export function packageScript(name: string, from: string = process.cwd(), root: string = PACKAGE): string {
  const way = relative(from, root);
  if (way === "") return `npm run ${name}`;
  const folder = way.startsWith("..") ? root.replace(/[\\/]$/, "") : way;
  return `npm run ${name} --prefix ${/[^\w./\\:@-]/.test(folder) ? `"${folder}"` : folder.replaceAll(sep, "/")}`;
}
