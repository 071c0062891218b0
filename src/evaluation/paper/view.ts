/** What the scorecard shows: claims with their verdicts, tables of arms with ratios to their twins, sheets and commands. */
import { dirname, join } from "node:path";
import type { Arm } from "./arms.ts";
import { CLAIMS, type JudgedClaim, judge } from "./claims.ts";
import { type Ratio, ratioOf, type Score, scoreOf } from "./scores.ts";
import { type ArmRow, type PaperTable, TABLES } from "./tables.ts";

export interface RowView {
  readonly row: ArmRow;
  /** metric -> score; empty if the arm was not run. */
  readonly scores: Readonly<Record<string, Score>>;
  readonly ratio?: Ratio;
  readonly seeds: readonly number[];
}

export interface SetView {
  readonly set: string;
  readonly metrics: readonly string[];
  readonly rows: readonly RowView[];
}

export interface SheetView {
  readonly arm: string;
  readonly path: string;
  readonly caption: string;
}

export interface TableView {
  readonly table: PaperTable;
  /** Sets for which at least one arm has scores; if there are none, the first set. */
  readonly sets: readonly SetView[];
  readonly runs: readonly Arm[];
  readonly sheets: readonly SheetView[];
}

export interface PaperView {
  readonly claims: readonly JudgedClaim[];
  readonly tables: readonly TableView[];
}

export function paperView(arms: readonly Arm[]): PaperView {
  return {
    claims: CLAIMS.map((claim) => judge(claim, arms)),
    tables: TABLES.map((table) =>
      tableView(
        table,
        arms.filter((arm) => arm.table === table.id),
      ),
    ),
  };
}

function tableView(table: PaperTable, arms: readonly Arm[]): TableView {
  const known = table.sets.filter((set) => arms.some((arm) => Object.hasOwn(arm.results, set)));
  const sets = known.length > 0 ? known : table.sets.slice(0, 1);
  const labels = new Map(table.arms.map(({ id, losses = "ours", label }) => [`${id} ${losses}`, label]));
  const sheets = arms.flatMap((arm) =>
    arm.sheets.map(({ file, caption }) => ({
      arm: labels.get(`${arm.arm} ${arm.losses}`) ?? arm.arm,
      path: join(dirname(arm.path), file),
      caption,
    })),
  );
  return { table, sets: sets.map((set) => setView(table, arms, set)), runs: arms, sheets };
}

function setView(table: PaperTable, arms: readonly Arm[], set: string): SetView {
  const of = ({ id, losses = "ours" }: Pick<ArmRow, "id" | "losses">): Arm[] =>
    arms.filter((arm) => arm.arm === id && arm.losses === losses && Object.hasOwn(arm.results, set));
  const rows = table.arms.map((row): RowView => {
    const own = of(row);
    const scores = table.metrics.flatMap((metric) => {
      const score = scoreOf(own, set, metric);
      return score ? [[metric, score] as const] : [];
    });
    const twin = of({ id: table.twin, losses: row.losses });
    const ratio = row.id === table.twin ? undefined : ratioOf(own, twin, set, table.ratio);
    return { row, scores: Object.fromEntries(scores), ratio, seeds: own.map(({ seed }) => seed).sort((a, b) => a - b) };
  });
  return { set, metrics: table.metrics, rows };
}
