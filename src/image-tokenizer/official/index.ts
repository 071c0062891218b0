/** Official SEED checkpoints: in, out, and what they are. */
export { isOfficialFolder, OFFICIAL_FORMAT, type OfficialConfig, parseOfficialConfig } from "./config.ts";
export { type ExportOptions, type ExportReport, exportOfficial } from "./export.ts";
export { type ImportOptions, type ImportReport, importOfficial, planImport } from "./import.ts";
export type { Hints } from "./infer.ts";
