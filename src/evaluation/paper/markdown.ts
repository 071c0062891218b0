/** The scorecard as Markdown. */
import { relative } from "node:path";
import { RULE } from "./claims.ts";
import type { PaperView, RowView, SetView, TableView } from "./view.ts";
import { goalText, heading, NOT_RUN, ratioText, scoreText, seedsText, summary } from "./words.ts";

export interface MarkdownOptions {
  /** The folder that the file will be in: links to sheets start there. */
  readonly folder: string;
  /** claim -> its discussion. */
  readonly discussions: Readonly<Record<string, string>>;
  /** What writes the file. */
  readonly command: string;
}

export function paperMarkdown(view: PaperView, options: MarkdownOptions): string {
  const { discussions, command } = options;
  const claims = view.claims.map((one) => {
    const { claim, arm, twin, ratio, verdict } = one;
    const paper = `${claim.figures} (${claim.paper})`;
    return [claim.text, paper, scoreText(arm), scoreText(twin), ratioText(ratio), goalText(one), verdict];
  });
  const said = view.claims.flatMap(({ claim, verdict }) => {
    const text = discussions[claim.id];
    return text === undefined ? [] : [`**${claim.text}** (${verdict}). ${text.trim()}`, ""];
  });
  return [
    "# The papers' tables, with twins at the same budget",
    "",
    `Written by \`${command}\` from the JSON files of [paper/](paper/README.md); nothing here is written by hand but the discussion of claims.`,
    "All scores are percent with 95 % intervals. The papers' figures are of other models on other pictures: what is compared is the ratio.",
    "",
    "## Claims",
    "",
    summary(view.claims),
    "",
    ...table(["claim", "paper", "arm", "twin", "arm / twin", "goal", "verdict"], claims),
    "",
    RULE,
    "",
    ...(said.length > 0 ? ["### Discussion", "", ...said] : []),
    ...view.tables.flatMap((one) => tableLines(one, options)),
  ].join("\n");
}

function tableLines(view: TableView, { folder }: MarkdownOptions): string[] {
  const { table: definition, sets, runs, sheets } = view;
  const commands = runs.map(({ arm, losses, seed, command, budget, commit, machine }) => {
    const spent = Object.entries(budget).map(([what, number]) => `${number} ${what}`);
    return [arm, losses, String(seed), `\`${command}\``, spent.join(", "), commit, machine];
  });
  return [
    `## ${definition.title}`,
    "",
    heading(definition),
    "",
    ...sets.flatMap((set) => [
      ...(sets.length > 1 || runs.length > 0 ? [`### ${definition.title}: ${set.set}`, ""] : []),
      ...setLines(set, definition.ratio),
      "",
    ]),
    ...sheets.flatMap(({ arm, path, caption }) => [
      `![${arm}: ${caption}](${relative(folder, path).split("\\").join("/")})`,
      "",
      `${arm}: ${caption}`,
      "",
    ]),
    ...(commands.length > 0
      ? [
          "<details><summary>Commands</summary>",
          "",
          ...table(["arm", "losses", "seed", "command", "budget", "commit", "machine"], commands),
          "",
          "</details>",
          "",
        ]
      : []),
  ];
}

/** @param ratio the metric of the ratio, whose seeds are shown */
function setLines({ metrics, rows }: SetView, ratio: string): string[] {
  const used = metrics.filter((metric) => rows.some(({ row, scores }) => scores[metric] || row.papers?.[metric]));
  const shown = used.length > 0 ? used : metrics.slice(0, 1);
  const cells = ({ row, scores, ratio: own }: RowView): string[] => {
    const spread = Object.values(scores)[0];
    const ran = spread !== undefined;
    return [
      row.floor ? `_${row.label}_` : row.label,
      ...shown.map((metric) => (ran && !scores[metric] ? "" : scoreText(scores[metric]))),
      ran ? (own ? ratioText(own) : "") : NOT_RUN,
      ran ? seedsText(scores[ratio] ?? spread) : "",
      Object.entries(row.papers ?? {})
        .map(([metric, figures]) => `${metric} ${figures}`)
        .join("; "),
    ];
  };
  return table(["", ...shown, "ratio", "seeds", "paper"], rows.map(cells));
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|").replaceAll("\n", " ")).join(" | ")} |`;
  return [line(header), line(header.map(() => "---")), ...rows.map(line)];
}
