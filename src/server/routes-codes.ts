/** Seedling's own routes: pictures to codes, codes to pictures, both in one, and descriptions. */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import type { Codes } from "../codes/index.ts";
import { pictureBytes } from "./pictures.ts";
import type { QueuedModel } from "./queued-model.ts";
import { body, errors, jsonReply } from "./route-parts.ts";
import {
  describeReply,
  describeRequest,
  detokenizeRequest,
  picturesReply,
  reconstructRequest,
  tokenizeReply,
  tokenizeRequest,
} from "./schemas.ts";
import { base64, type Services, scoped } from "./services.ts";

const tokenize = createRoute({
  method: "post",
  path: "/v1/tokenize",
  summary: "Pictures to 32 codes each",
  request: { body: body(tokenizeRequest) },
  responses: { 200: jsonReply(tokenizeReply, "The codes of each picture."), ...errors },
});
const detokenize = createRoute({
  method: "post",
  path: "/v1/detokenize",
  summary: "Codes to pictures",
  request: { body: body(detokenizeRequest) },
  responses: { 200: jsonReply(picturesReply, "A PNG file for each list of codes."), ...errors },
});
const reconstruct = createRoute({
  method: "post",
  path: "/v1/reconstruct",
  summary: "Pictures to codes and back",
  request: { body: body(reconstructRequest) },
  responses: { 200: jsonReply(picturesReply, "A PNG file for each picture."), ...errors },
});

const describe = createRoute({
  method: "post",
  path: "/v1/describe",
  summary: "What pictures show",
  request: { body: body(describeRequest) },
  responses: { 200: jsonReply(describeReply, "A text for each picture, those of `images` first."), ...errors },
});

interface Decoding {
  readonly keep?: number;
  readonly seed?: number;
  readonly steps?: number;
  readonly guidance_scale?: number;
}

export function codesRoutes(app: OpenAPIHono, services: Services): void {
  const bytes = (images: readonly string[], signal: AbortSignal): Promise<Uint8Array[]> =>
    Promise.all(images.map((url, i) => pictureBytes(url, `images[${i}]`, services.pictures, signal)));

  const decode = async (model: QueuedModel, lists: readonly Codes[], options: Decoding, signal: AbortSignal) => {
    const { seed = 0, keep, steps, guidance_scale: guidanceScale } = options;
    const jobs = lists.map((codes, i) => ({ codes, seed: (seed + i) % 2 ** 31, keep, steps, guidanceScale }));
    const images = await model.decode(jobs, signal);
    const files = await Promise.all(images.map((image) => services.png(image)));
    return jobs.map((job, i) => ({
      b64_json: base64(files[i] ?? new Uint8Array()),
      codes: [...job.codes],
      seed: job.seed,
    }));
  };

  app.openapi(tokenize, async (c) => {
    const { model: id, images } = c.req.valid("json");
    const reply = await scoped(c, services, (signal) =>
      services.pool.use(id, async (model) => {
        const lists = await model.encode(await bytes(images, signal), signal);
        return { model: model.model.id, codes: lists.map((codes) => [...codes]) };
      }),
    );
    return c.json(reply, 200);
  });

  app.openapi(detokenize, async (c) => {
    const { model: id, codes, ...options } = c.req.valid("json");
    const reply = await scoped(c, services, (signal) =>
      services.pool.use(id, async (model) => ({
        model: model.model.id,
        images: await decode(model, codes, options, signal),
      })),
    );
    return c.json(reply, 200);
  });

  app.openapi(reconstruct, async (c) => {
    const { model: id, images, ...options } = c.req.valid("json");
    const reply = await scoped(c, services, (signal) =>
      services.pool.use(id, async (model) => {
        const lists = await model.encode(await bytes(images, signal), signal);
        return { model: model.model.id, images: await decode(model, lists, options, signal) };
      }),
    );
    return c.json(reply, 200);
  });

  app.openapi(describe, async (c) => {
    const { model: id, images = [], codes = [], best_of: bestOf, seed } = c.req.valid("json");
    const reply = await scoped(c, services, (signal) =>
      services.pool.use(id, async (model) => {
        const seen = images.length > 0 ? await model.encode(await bytes(images, signal), signal) : [];
        const jobs = [...seen, ...codes].map((list) => ({ codes: list, bestOf, seed }));
        return { model: model.model.id, texts: await model.describe(jobs, signal) };
      }),
    );
    return c.json(reply, 200);
  });
}
