/** Official SEED checkpoints: in, out, and what they are. */
export { type ExportOptions, type ExportReport, exportOfficial } from "./export.ts";
export { type ImportOptions, type ImportReport, importOfficial, type OfficialReport, planImport } from "./import.ts";
export type { Hints } from "./infer.ts";
