/**
 * One object a line: name, codes, and the caption if there is one. A folder of such files is what language models learn
 * from (data/described-codes.ts); it needs captions.
 */
import type { OutputFormat } from "./output-format.ts";

export const jsonLines: OutputFormat = {
  endings: [".jsonl"],
  writer([file]) {
    return {
      add: async (rows) =>
        file?.write(rows.map(({ name, codes, caption }) => `${JSON.stringify({ name, codes, caption })}\n`).join("")),
      end: async () => {},
    };
  },
};
