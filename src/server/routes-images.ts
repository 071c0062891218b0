/** `POST /v1/images/generations`: drawings of a prompt; streamed, the picture sharpens as its codes are written. */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { streamSSE } from "hono/streaming";
import type { Codes } from "../codes/index.ts";
import type { RgbImage } from "../image/index.ts";
import { ApiError, errorBody, toApiError } from "./api-error.ts";
import type { QueuedModel } from "./queued-model.ts";
import { requestScope } from "./request-scope.ts";
import { body, errors, streamedReply } from "./route-parts.ts";
import { type ImagesRequest, imagesReply, imagesRequest } from "./schemas.ts";
import { base64, now, type Services, scoped } from "./services.ts";

const route = createRoute({
  method: "post",
  path: "/v1/images/generations",
  summary: "Draw a prompt",
  request: { body: body(imagesRequest) },
  responses: { 200: streamedReply(imagesReply, "The pictures; with `stream` as server-sent events."), ...errors },
});

interface Picture {
  readonly b64_json: string;
  readonly seed: number;
  readonly codes: number[];
}

export function imagesRoutes(app: OpenAPIHono, services: Services): void {
  app.openapi(route, async (c) => {
    const request = c.req.valid("json");
    const first = request.seed ?? Math.floor(Math.random() * 2 ** 31);
    const seeds = Array.from({ length: request.n ?? 1 }, (_, i) => (first + i) % 2 ** 31);
    if (!request.stream) {
      const data = await scoped(c, services, (signal) =>
        services.pool.use(request.model, (model) =>
          Promise.all(seeds.map((seed) => draw(model, request, seed, services, signal))),
        ),
      );
      return c.json({ created: now(), data }, 200);
    }
    if (seeds.length > 1) throw new ApiError(400, "invalid_n", "n: expected 1 with stream.", { param: "n" });
    await services.pool.use(request.model, async () => {}); // errors of the model have their own status
    const scope = requestScope(c, services.deadlineMs);
    const [seed] = seeds as [number];
    return streamSSE(c, async (stream) => {
      stream.onAbort(() => {});
      const created_at = now();
      const send = (type: string, fields: object): Promise<void> =>
        stream.writeSSE({ event: type, data: JSON.stringify({ type, created_at, ...fields }) });
      try {
        await services.pool.use(request.model, async (model) => {
          const partial = (picture: Picture, index: number): Promise<void> =>
            send("image_generation.partial_image", { ...picture, partial_image_index: index });
          const picture = await draw(model, request, seed, services, scope.signal, partial);
          await send("image_generation.completed", { ...picture });
        });
      } catch (error) {
        services.onError(error);
        if (!stream.aborted) await send("error", errorBody(toApiError(error)));
      } finally {
        scope.end();
      }
    }) as never; // a stream is not described by the JSON schema
  });
}

/** @param onPartial gets pictures decoded from the first codes, as many as `partial_images` asks for */
async function draw(
  model: QueuedModel,
  request: ImagesRequest,
  seed: number,
  services: Services,
  signal: AbortSignal,
  onPartial?: (picture: Picture, index: number) => Promise<void>,
): Promise<Picture> {
  const { prompt, temperature, top_p, steps, guidance_scale, partial_images } = request;
  const sampling = { temperature: temperature ?? undefined, topP: top_p ?? undefined };
  const decoding = { steps: steps ?? undefined, guidanceScale: guidance_scale ?? undefined };
  const decode = async (codes: Codes, keep?: number): Promise<RgbImage> => {
    const [image] = await model.decode([{ codes, seed, keep, ...decoding }], signal);
    if (!image) throw new Error("a decoder gave no picture");
    expectSize(request, image);
    return image;
  };
  const partial = async (codes: Codes, keep: number, index: number): Promise<void> => {
    const file = await services.png(await decode(codes, keep));
    await onPartial?.({ b64_json: base64(file), seed, codes: codes.slice(0, keep) }, index);
  };
  const points = partialPoints(onPartial ? (partial_images ?? 0) : 0);
  let sending: Promise<void> = Promise.resolve();
  let sent = 0;
  const onCodes = (codes: readonly number[]): void => {
    if (!points.includes(codes.length)) return;
    const index = sent++;
    const padded = [...codes, ...Array.from({ length: 32 - codes.length }, () => 0)];
    sending = sending.then(() => partial(padded, codes.length, index));
    sending.catch(() => {});
  };
  const settings = { ...sampling, seed, signal };
  const codes = await model.drawCodes(prompt, settings, points.length > 0 ? onCodes : undefined);
  await sending;
  const drawn = { prompt, codes, seed, image: await decode(codes), settings: { ...sampling, ...decoding } };
  return { b64_json: base64(await model.model.drawingPng(drawn)), seed, codes: [...codes] };
}

/** Numbers of codes after which a partial picture is made. */
function partialPoints(count: number): number[] {
  return [4, 8, 16, 24, 28, 12, 20, 2].slice(0, count);
}

function expectSize({ size }: ImagesRequest, { width, height }: { width: number; height: number }): void {
  if (!size || size === "auto" || size === `${width}x${height}`) return;
  throw new ApiError(
    400,
    "invalid_size",
    `size: expected "auto" or "${width}x${height}", the size this model draws, got ${size}.`,
    {
      param: "size",
    },
  );
}
