/** 52 bytes a picture, and a list of names next to them. */
import { packCodes } from "../../codes/index.ts";
import type { OutputFormat } from "./output-format.ts";

/** Line n of the list names picture n; a line break in a name is written as `\n`. */
export const packed: OutputFormat = {
  endings: [".names.txt", ".bin"],
  writer([names, codes]) {
    return {
      async add(rows) {
        await names?.write(rows.map(({ name }) => `${name.replace(/\r?\n|\r/g, "\\n")}\n`).join(""));
        await codes?.write(packCodes(rows.map((row) => row.codes)));
      },
      end: async () => {},
    };
  },
};
