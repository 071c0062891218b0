/** The keys of recipes as tables of Markdown: docs/recipes.md holds what these functions return. */
import type { z } from "zod";
import type { StageDefinition } from "../stages/definition.ts";
import { OWN_KEYS, objectIn } from "./stage-recipe.ts";
import { trainingKeys } from "./training-keys.ts";

/** All tables: keys of every recipe, then those of each stage. */
export function recipeKeyTables(stages: readonly StageDefinition[]): string {
  const all = Object.entries(OWN_KEYS).map(([name, text]) => row(name, text));
  const common = table([...all, ...rows(trainingKeys)]);
  // Stages with the same keys share a table.
  const groups = new Map<string, StageDefinition[]>();
  for (const stage of stages) {
    const own = table(rows(without(stage.recipe.shape as unknown as Shape, trainingKeys)));
    groups.set(own, [...(groups.get(own) ?? []), stage]);
  }
  const parts = [...groups].map(([own, group]) => {
    const lines = group.map(({ name, about, paper }) => `\`${name}\`: ${about} Paper: ${paper}.`);
    return [`### ${group.map(({ name }) => name).join(", ")}`, ...lines, own].join("\n\n");
  });
  return [`### Every stage`, common, ...parts].join("\n\n");
}

type Shape = Readonly<Record<string, z.ZodType>>;

function without(shape: Shape, keys: object): Shape {
  return Object.fromEntries(Object.entries(shape).filter(([name]) => !(name in keys)));
}

function table(lines: readonly string[]): string {
  return ["| key | meaning | default |", "| --- | --- | --- |", ...lines].join("\n");
}

function rows(shape: Shape, prefix = ""): string[] {
  return Object.entries(shape).flatMap(([name, schema]) => {
    const inner = objectIn(schema);
    const own = row(
      `${prefix}${name}`,
      String(schema.meta()?.description ?? ""),
      inner ? undefined : defaultOf(schema),
    );
    return inner ? [own, ...rows(inner.shape as Shape, `${prefix}${name}.`)] : [own];
  });
}

function row(name: string, text: string, value?: unknown): string {
  const shown = value === undefined ? "" : `\`${JSON.stringify(value)}\``;
  return `| \`${name}\` | ${text.replaceAll("|", "\\|")} | ${shown} |`;
}

/** What a missing key means, if it may be missing. */
function defaultOf(schema: z.ZodType): unknown {
  const { success, data } = schema.safeParse(undefined);
  return success ? data : undefined;
}
