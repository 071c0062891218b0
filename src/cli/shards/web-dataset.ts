/** The samples of the shard as they are, each with its codes as a JSON list: `000001.png`, ..., `000001.codes.json`. */
import { pack } from "tar-stream";
import type { OutputFormat } from "./output-format.ts";

const CODES = "codes.json";

/** The same samples give the same bytes: no times, no owners. */
export const webDataset: OutputFormat = {
  endings: [".tar"],
  writer([file]) {
    const tar = pack();
    const written = (async () => {
      for await (const chunk of tar) await file?.write(chunk as Uint8Array);
    })();
    written.catch((error: Error) => tar.destroy(error)); // seen by whoever adds or ends
    const entry = (name: string, contents: Uint8Array | string): Promise<void> =>
      Promise.race([
        new Promise<void>((resolve, reject) => {
          const header = { name, mode: 0o644, mtime: new Date(0) };
          tar.entry(header, Buffer.from(contents as string), (error) => (error ? reject(error) : resolve()));
        }),
        written, // a full disk ends the reading, and with it the writing
      ]);
    return {
      async add(rows) {
        for (const { codes, sample } of rows) {
          for (const [ending, contents] of Object.entries(sample.files))
            if (ending !== CODES) await entry(`${sample.key}.${ending}`, contents);
          await entry(`${sample.key}.${CODES}`, JSON.stringify(codes));
        }
      },
      async end() {
        tar.finalize();
        await written;
      },
    };
  },
};
