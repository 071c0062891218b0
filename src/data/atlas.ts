/**
 * The atlas: every icon of every noun in every style, drawn once, trimmed and kept as raw pixels in one cache file.
 *
 * The file is one line of JSON (what each sprite is) and then the pixels, u8 [N,96,96,4].
 */

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliDecompressSync } from "node:zlib";
import { InputError, SetupError } from "../base/errors.ts";
import { rasterize } from "../image/raster-node.ts";
import { fileError, makeFolder, writeAtomic } from "../io/files.ts";
import { packageScript } from "../io/package-script-node.ts";
import { type ColorName, colorOf } from "./colors.ts";
import { nounTable, STYLES, type Style } from "./nouns.ts";
import { alphaBox, type Box, cutSquare, resampleSquare } from "./resample.ts";

/** Side of a sprite in pixels. */
export const CELL = 96;
const CELL_BYTES = CELL * CELL * 4;
/** Icons are drawn in this size before they are trimmed. */
const DRAWN = 128;
/** Incremented when the way sprites are drawn changes, so that old cache files are not used. */
const VERSION = 1;

/** One drawing: premultiplied RGBA, u8 [96,96,4], its longer side filling the square. */
export interface Sprite {
  readonly noun: string;
  readonly style: Style;
  /** The icon's name in its set. */
  readonly icon: string;
  readonly pixels: Uint8Array;
  /** Half size, u8 [48,48,4], for drawing small. */
  readonly half: Uint8Array;
  /** Bounds of the drawing within the square. */
  readonly box: Box;
  /** The one color most of it has, if it has one. */
  readonly color: ColorName | undefined;
}

export interface Atlas {
  readonly sprites: readonly Sprite[];
}

export interface AtlasOptions {
  /** Only sprites of these nouns are loaded. Default all. */
  nouns?: readonly string[];
  /** Only sprites in these styles are loaded. Default all. */
  styles?: readonly Style[];
  /** Where the icon sets are installed. Default `data/icons` of this package. */
  icons?: string;
  /** Where the cache file is kept. Default `.cache` of this package. */
  cache?: string;
  /** Called while sprites are drawn, which happens when there is no cache file yet. */
  progress?: (done: number, total: number) => void;
}

type Entry = readonly [noun: string, style: Style, icon: string];

const HERE = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/**
 * Loads the sprites, drawing them first if no cache file fits the installed icon sets.
 * @throws SetupError if the icon sets are not installed.
 */
export async function openAtlas(options: AtlasOptions = {}): Promise<Atlas> {
  const { icons = HERE("data/icons"), cache = HERE(".cache") } = options;
  const file = join(cache, `atlas-${await fingerprint(icons)}.bin`);
  if (!existsSync(file)) await buildAtlas(file, icons, options.progress);
  return loadAtlas(file, options);
}

/**
 * Reads an atlas file; a name ending in `.br` is unpacked (Brotli) first.
 * @throws InputError if the file is missing or damaged.
 */
export async function loadAtlas(
  file: string,
  { nouns, styles }: Pick<AtlasOptions, "nouns" | "styles"> = {},
): Promise<Atlas> {
  const [wantedNouns, wantedStyles] = [nouns && new Set(nouns), styles && new Set(styles)];
  const bytes = await readFile(file).then(
    (read) => (file.endsWith(".br") ? unpack(read) : read),
    (error) => {
      throw fileError(error, file);
    },
  );
  const end = bytes.indexOf(10);
  const entries = parseIndex(bytes.subarray(0, Math.max(end, 0)));
  if (!entries || bytes.length !== end + 1 + entries.length * CELL_BYTES) {
    throw new InputError(`${file}: damaged sprite file. Delete it; it will be rebuilt.`);
  }
  const sprites: Sprite[] = [];
  for (const [i, [noun, style, icon]] of entries.entries()) {
    if (wantedNouns?.has(noun) === false || wantedStyles?.has(style) === false) continue;
    // A copy, so that the rest of a large file can be forgotten.
    const pixels = new Uint8Array(bytes.subarray(end + 1 + i * CELL_BYTES, end + 1 + (i + 1) * CELL_BYTES));
    sprites.push(spriteOf([noun, style, icon], pixels));
  }
  return { sprites };
}

/** Empty if the bytes are damaged, which is then reported like any other damage. */
function unpack(bytes: Uint8Array): Uint8Array {
  try {
    return brotliDecompressSync(bytes);
  } catch {
    return new Uint8Array(0);
  }
}

function parseIndex(line: Uint8Array): Entry[] | undefined {
  try {
    const entries = JSON.parse(new TextDecoder().decode(line));
    return Array.isArray(entries) ? entries : undefined;
  } catch {
    return undefined;
  }
}

function spriteOf([noun, style, icon]: Entry, pixels: Uint8Array): Sprite {
  let half: Uint8Array | undefined;
  const box = alphaBox({ width: CELL, height: CELL, data: pixels }) ?? [0, 0, CELL, CELL];
  return {
    ...{ noun, style, icon, pixels, box, color: colorOf(pixels) },
    // When it is first needed: many commands draw few of the sprites.
    get half() {
      if (!half) {
        half = new Uint8Array(CELL_BYTES / 4);
        resampleSquare(pixels, CELL, CELL / 2, half);
      }
      return half;
    },
  };
}

/** Writes sprites as an atlas file's bytes. */
export function packAtlas(sprites: readonly Pick<Sprite, "noun" | "style" | "icon" | "pixels">[]): Uint8Array {
  const index = JSON.stringify(sprites.map(({ noun, style, icon }) => [noun, style, icon]));
  return Buffer.concat([Buffer.from(`${index}\n`), ...sprites.map((sprite) => sprite.pixels)]);
}

async function buildAtlas(file: string, icons: string, progress: AtlasOptions["progress"]): Promise<void> {
  const wanted: Entry[] = [];
  for (const { noun, icons } of nounTable().values()) {
    for (const icon of icons) for (const style of STYLES) if (icon[style]) wanted.push([noun, style, icon[style]]);
  }
  const draw = await openIconSets(icons);
  const drawn: Parameters<typeof packAtlas>[0][number][] = [];
  for (const [i, [noun, style, icon]] of wanted.entries()) {
    const image = await rasterize(await draw(style, icon), DRAWN, `${style} ${icon}`);
    const box = alphaBox(image);
    if (box) {
      const { side, data } = cutSquare(image, box);
      const pixels = new Uint8Array(CELL_BYTES);
      resampleSquare(data, side, CELL, pixels);
      drawn.push({ noun, style, icon, pixels });
    }
    progress?.(i + 1, wanted.length);
  }
  await makeFolder(join(file, ".."));
  await writeAtomic(file, (handle) => handle.writeFile(packAtlas(drawn)));
}

const FLUENT_3D = "@lobehub/fluent-emoji-3d";
const packageOf = (style: Style): string => (style === "fluent-3d" ? FLUENT_3D : `@iconify-json/${style}`);

/** Changes with the noun table, the versions of the installed icon sets and the way sprites are drawn. */
async function fingerprint(icons: string): Promise<string> {
  const hash = createHash("sha256").update(JSON.stringify([VERSION, CELL, DRAWN, [...nounTable().values()]]));
  for (const style of STYLES) {
    const path = join(icons, "node_modules", packageOf(style), "package.json");
    try {
      hash.update(`${style} ${JSON.parse(await readFile(path, "utf8")).version}\n`);
    } catch (cause) {
      throw new SetupError(`${path}: the icon set is not installed. Run: ${packageScript("icons")}`, { cause });
    }
  }
  return hash.digest("hex").slice(0, 12);
}

/** A function that gives the SVG or WebP file of an icon. */
async function openIconSets(icons: string): Promise<(style: Style, icon: string) => Promise<Uint8Array>> {
  interface IconSet {
    width?: number;
    height?: number;
    icons: Record<string, { body: string; left?: number; top?: number; width?: number; height?: number }>;
  }
  const sets = new Map<Style, IconSet>();
  for (const style of STYLES) {
    if (style === "fluent-3d") continue;
    sets.set(
      style,
      JSON.parse(await readFile(join(icons, "node_modules", packageOf(style), "icons.json"), "utf8")) as IconSet,
    );
  }
  return async (style, name) => {
    const set = sets.get(style);
    if (!set) return readFile(join(icons, "node_modules", FLUENT_3D, "assets", name));
    const icon = set.icons[name];
    if (!icon) throw new SetupError(`${packageOf(style)}: has no icon ${name}. Run: ${packageScript("icons")}`);
    const { left = 0, top = 0, width = set.width ?? 16, height = set.height ?? 16 } = icon;
    const scale = DRAWN / Math.max(width, height);
    return Buffer.from(
      `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="${left} ${top} ${width} ${height}" width="${width * scale}" height="${height * scale}">${icon.body}</svg>`,
    );
  };
}
