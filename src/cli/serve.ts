/** `seedling serve`: the HTTP API, and the page where it has been built. */
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { Command, Option } from "commander";
import { SetupError, UsageError } from "../base/errors.ts";
import { VERSION } from "../base/version.ts";
import { encodePng } from "../image/index.ts";
import { BUNDLED_MODEL } from "../image-tokenizer/seed-tokenizer.ts";
import { exists } from "../io/files.ts";
import { modelFolder } from "../io/hub/index.ts";
import type { Device } from "../runtime/index.ts";
import { createApp } from "../server/app.ts";
import { listen } from "../server/listen.ts";
import { ModelPool, type ModelSource } from "../server/model-pool.ts";
import { openServedModel } from "../server/open-model.ts";
import { PictureSearch } from "../server/picture-search.ts";
import { writeStaticSite } from "../server/static-site.ts";
import { deviceOption, portOption, threadsOption, withExamples } from "./command.ts";
import { interruptible } from "./interrupt.ts";
import { adapterOption, lmOption } from "./language-options.ts";
import { positive, whole } from "./parsers.ts";
import { expectFolderPlace } from "./places.ts";
import { plural, Report } from "./report.ts";

interface ServeOptions {
  readonly model: string[];
  readonly adapter?: string;
  readonly lm?: string;
  readonly diffusion?: string;
  readonly host: string;
  readonly port: number;
  readonly apiKey?: string;
  readonly cors?: string[];
  readonly allowHost?: string[];
  readonly allowUrls?: boolean;
  readonly preload?: boolean;
  readonly keepAlive: number;
  readonly maxQueue: number;
  readonly maxBody: number;
  readonly timeLimit: number;
  readonly page: boolean;
  readonly static?: string;
  readonly index?: string;
  readonly device: Device;
  readonly threads: number;
  readonly quiet?: boolean;
}

/** The page as `npm run build:page` leaves it. */
const PAGE = fileURLToPath(new URL("../../web/dist", import.meta.url));
const LOOPBACK = ["127.0.0.1", "localhost", "[::1]"];
const GRACE_MS = 10_000;
const MEGABYTE = 1e6;

export function serveCommand(): Command {
  const command = new Command("serve")
    .description("serve an HTTP API in OpenAI's format, and a web page")
    .addOption(
      new Option(
        "--model <folder...>",
        "models to serve, NAME=FOLDER or a folder, or owner/name on the Hub; the first is the default",
      ).default([BUNDLED_MODEL], "seedling-mini"),
    )
    .addOption(lmOption())
    .addOption(adapterOption())
    .option(
      "--diffusion <model>",
      "decode imported weights with this folder in diffusers' layout (for the first model)",
    )
    .option("--host <address>", "address to listen at", "127.0.0.1")
    .addOption(portOption(8332))
    .addOption(new Option("--api-key <key>", "required of every request to the API").env("SEEDLING_API_KEY"))
    .option("--cors <origin...>", "origins whose pages may use the API, e.g. https://app.example")
    .option("--allow-host <name...>", 'also answer under these host names; "*" for any')
    .option("--allow-urls", "fetch pictures by URL, from public addresses only")
    .option("--preload", "open all models before the first request")
    .option(
      "--keep-alive <minutes>",
      "close a model after this time without a request, 0 for never",
      positive({ zero: true }),
      0,
    )
    .option("--max-queue <n>", "requests that may wait for a model; more get status 429", whole(1), 256)
    .option("--max-body <MB>", "size of the largest request, MB", whole(1, 1000), 32)
    .option("--time-limit <seconds>", "for one request, 0 for none", whole(0, 86_400), 300)
    .option("--index <folder>", "search the pictures of this index, which `seedling index` wrote")
    .option("--no-page", "the API only")
    .option(
      "--static <folder>",
      "write the page and the models as static files, then exit: the model runs in the browser",
    )
    .addOption(deviceOption())
    .addOption(threadsOption())
    .action(serve);
  return withExamples(command, [
    ["seedling serve"],
    ["seedling serve --preload --api-key secret --host 0.0.0.0 --allow-host example.org"],
    ["seedling serve --model mini=models/seedling-mini mine=models/mine"],
    ["seedling serve --static site", "any static host serves site/: nothing is computed on it"],
    ["curl http://127.0.0.1:8332/v1/models"],
  ]);
}

async function serve(options: ServeOptions): Promise<void> {
  const report = new Report(options);
  const sources = options.model.map((text, i) =>
    source(text, i === 0 ? options : { ...options, lm: undefined, adapter: undefined, diffusion: undefined }),
  );
  const twice = sources.find(({ id }, i) => sources.findIndex((other) => other.id === id) !== i);
  if (twice) throw new UsageError(`--model: expected different names, got ${twice.id} twice. Write NAME=FOLDER.`);
  const {
    maxQueue,
    keepAlive,
    maxBody,
    timeLimit,
    apiKey,
    host,
    port,
    cors = [],
    allowHost = [],
    allowUrls = false,
  } = options;
  const pool = new ModelPool(sources, { maxWaiting: maxQueue, keepAliveMs: keepAlive * 60_000 });
  const page = options.page && (await exists(PAGE)) ? PAGE : undefined;
  if (options.static !== undefined) return writeSite(options.static, options, report);
  const search = options.index === undefined ? undefined : await PictureSearch.open(options.index);
  const app = createApp({
    pool,
    version: VERSION,
    hosts: [...LOOPBACK, host.includes(":") ? `[${host}]` : host, ...allowHost].map((name) => name.toLowerCase()),
    origins: cors,
    apiKey,
    maxBodyBytes: maxBody * MEGABYTE,
    pictures: { maxBytes: maxBody * MEGABYTE, allowUrls },
    deadlineMs: timeLimit * 1000,
    png: encodePng,
    page,
    search,
    // Whoever has no key shall not have the model either.
    modelFolders: apiKey === undefined ? await ownFolders(options) : undefined,
    onRequest: options.quiet ? undefined : (line) => process.stdout.write(`${JSON.stringify(line)}\n`),
    onError: (line) => process.stderr.write(`${line}\n`),
  });
  if (search) report.note(`${plural(search.size, "picture")} to search`);
  await interruptible(async (signal) => {
    const server = await listen(app, { host, port, graceMs: GRACE_MS });
    try {
      report.note(`${server.url}${page ? "" : "/v1 (API only: there is no page here)"}`);
      if (!LOOPBACK.includes(host) && apiKey === undefined)
        report.warn(`anyone who reaches ${host} can use this server. Set --api-key.`);
      if (options.preload) await pool.preload(pool.ids);
      if (!signal.aborted)
        await new Promise<void>((done) => signal.addEventListener("abort", () => done(), { once: true }));
    } finally {
      await server.close();
      await pool.close();
    }
    signal.throwIfAborted();
  });
}

async function writeSite(out: string, options: ServeOptions, report: Report): Promise<void> {
  const { lm, adapter, diffusion } = options;
  if ((lm ?? adapter ?? diffusion) !== undefined)
    throw new UsageError("--static: expected models that are whole folders, got --lm, --adapter or --diffusion.");
  if (!(await exists(PAGE))) throw new SetupError("serve: the page has not been built. Run npm run build.");
  const named = options.model.map(nameAndFolder);
  await expectFolderPlace(out);
  const folders = await Promise.all(named.map(async ({ id, folder }) => [id, await modelFolder(folder)] as const));
  await writeStaticSite(out, PAGE, new Map(folders));
  report.wrote(out, undefined, `the page and ${plural(folders.length, "model")}`);
}

/** Models that are whole in a folder of this machine, which a page may compute in the browser. */
async function ownFolders({ model, lm, adapter, diffusion }: ServeOptions): Promise<ReadonlyMap<string, string>> {
  const changed = (lm ?? adapter ?? diffusion) !== undefined; // of the first
  const folders = model.map(nameAndFolder).slice(changed ? 1 : 0);
  const here = await Promise.all(folders.map(({ folder }) => exists(folder)));
  return new Map(folders.filter((_, i) => here[i]).map(({ id, folder }) => [id, folder]));
}

/** "NAME=FOLDER", or a folder whose last part is the name. */
function nameAndFolder(text: string): { readonly id: string; readonly folder: string } {
  const [, named, path] = /^([\w.-]+)=(.+)$/.exec(text) ?? [];
  const folder = path ?? text;
  return { id: named ?? basename(folder.replace(/\/+$/, "")), folder };
}

function source(text: string, { device, threads, lm, adapter, diffusion: decoder }: ServeOptions): ModelSource {
  const { id, folder } = nameAndFolder(text);
  return { id, open: () => openServedModel(folder, { id, device, threads, lm, adapter, decoder }) };
}
