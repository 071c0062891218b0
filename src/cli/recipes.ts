/** `seedling recipes`: what comes with the package to be trained, and the text of one recipe. */
import { readdir, readFile } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { InputError } from "../base/errors.ts";
import { fileError } from "../io/files.ts";
import { jsonOption, withExamples } from "./command.ts";
import { writeJson, writeStdout } from "./output.ts";
import { plural, Report } from "./report.ts";
import { formatTable } from "./table.ts";

const RECIPES = fileURLToPath(new URL("../../recipes", import.meta.url));
/** The files of a folder that name its recipes: in order, or as arms of the papers' tables. */
const [CHAIN, TWINS] = ["chain.json", "twins.json"];

export interface ListedRecipe {
  /** As `seedling recipes NAME` takes it: "mini/clip", or "mini" for a chain. */
  readonly name: string;
  readonly stages: readonly string[];
  readonly about: string;
  readonly file: string;
}

interface Options {
  readonly json?: boolean;
  readonly quiet?: boolean;
}

export function recipesCommand(folder = RECIPES): Command {
  const command = new Command("recipes")
    .description("list the recipes that come with the package, or print one")
    .argument("[name]", "of a recipe or chain, as listed")
    .addOption(jsonOption('{"name":"mini/clip","stages":["clip"],"about":"...","file":"..."}'));
  return withExamples(command, [
    ["seedling recipes", "names, stages and what each is for"],
    ["seedling recipes mini/clip > clip.json", "a copy to change and train with"],
  ]).action(async (name: string | undefined, options: Options) => {
    const all = await listRecipes(folder);
    if (name === undefined) {
      if (options.json) for (const recipe of all) await writeJson(recipe);
      else await writeStdout(table(all));
      return;
    }
    const wanted = name.replace(/\.json$/, "");
    const found = all.find((recipe) => recipe.name === wanted);
    if (!found) throw new InputError(`${name}: no such recipe. seedling recipes lists them.`);
    if (options.json) await writeJson(found);
    else {
      new Report(options).note(`# ${found.file}`);
      await writeStdout(await readFile(found.file, "utf8"));
    }
  });
}

/** A line each, cut where a terminal ends. */
function table(recipes: readonly ListedRecipe[]): string {
  const lines = formatTable(recipes.map(({ name, stages, about }) => [name, stages.join(", "), about]));
  const columns = process.stdout.isTTY ? process.stdout.columns || 80 : Number.POSITIVE_INFINITY;
  return lines.map((line) => `${line.length > columns ? `${line.slice(0, columns - 3)}...` : line}\n`).join("");
}

/** All recipes below a folder, by name, each chain before its recipes. Other files are skipped. */
export async function listRecipes(folder: string): Promise<ListedRecipe[]> {
  const names = (
    await readdir(folder, { recursive: true }).catch((error: unknown) => {
      throw fileError(error, folder);
    })
  ).filter((name) => name.endsWith(".json"));
  const files = new Map<string, Record<string, unknown>>();
  for (const name of names) files.set(join(folder, name), await readObject(join(folder, name)));
  const listed: ListedRecipe[] = [];
  for (const [file, json] of files) {
    const isTwins = file.endsWith(`${sep}${TWINS}`);
    const isChain = isTwins || file.endsWith(`${sep}${CHAIN}`);
    const stages = isTwins
      ? [plural(Object.keys(json.arms ?? {}).length, "arm")]
      : isChain
        ? chainStages(json)
        : [stageOf(file, files)].filter((stage) => stage !== undefined);
    if (stages.length === 0) continue;
    const path = isChain ? dirname(file) : file.replace(/\.json$/, "");
    listed.push({ name: relative(folder, path).split(sep).join("/"), stages, about: textOf(json.about), file });
  }
  return listed.sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function readObject(file: string): Promise<Record<string, unknown>> {
  const json: unknown = JSON.parse(await readFile(file, "utf8"));
  return typeof json === "object" && json !== null ? (json as Record<string, unknown>) : {};
}

/** A variant has the stage of what it extends. */
function stageOf(file: string, files: ReadonlyMap<string, Record<string, unknown>>, depth = 0): string | undefined {
  const { stage, extends: base } = files.get(file) ?? {};
  if (typeof stage === "string") return stage;
  return typeof base === "string" && depth < 9 ? stageOf(join(dirname(file), base), files, depth + 1) : undefined;
}

function chainStages({ stages }: Record<string, unknown>): string[] {
  return Array.isArray(stages) ? stages.map((stage) => textOf(stage)).filter(Boolean) : [];
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value.replace(/\s+/g, " ") : "";
}
