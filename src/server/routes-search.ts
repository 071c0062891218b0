/** `POST /v1/search`: pictures of the index that match a text, or are like a picture or its codes. */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { between } from "../search/query.ts";
import { ApiError } from "./api-error.ts";
import type { PictureSearch } from "./picture-search.ts";
import { pictureBytes } from "./pictures.ts";
import { body, errors, jsonReply } from "./route-parts.ts";
import { searchReply, searchRequest } from "./schemas.ts";
import { type Services, scoped } from "./services.ts";

const search = createRoute({
  method: "post",
  path: "/v1/search",
  summary: "Find pictures of the index by a text, by a picture, by codes, or by several of these",
  request: { body: body(searchRequest) },
  responses: { 200: jsonReply(searchReply, "The nearest pictures, best first."), ...errors },
});

const thumbnail = createRoute({
  method: "get",
  path: "/v1/search/pictures/{id}",
  summary: "A small PNG of a picture of the index",
  request: { params: z.object({ id: z.string().regex(/^\d{1,15}$/) }) },
  responses: {
    200: {
      description: "The picture.",
      content: { "image/png": { schema: z.string().openapi({ format: "binary" }) } },
    },
    ...errors,
  },
});

export function searchRoutes(app: OpenAPIHono, services: Services, index: PictureSearch): void {
  app.openapi(search, async (c) => {
    const { model: id, text, image, codes, n = 10, since, until } = c.req.valid("json");
    const reply = await scoped(c, services, (signal) =>
      services.pool.use(id, async (model) => {
        index.expectModel(model.model.id, model.model.codebook);
        const picture = image === undefined ? undefined : await pictureBytes(image, "image", services.pictures, signal);
        const query = await Promise.all([
          ...(text === undefined ? [] : [model.embedText(text, signal)]),
          ...(picture ? [model.embedImage(picture, signal)] : []),
          ...(codes ? [model.embedCodes(codes, signal)] : []),
        ]);
        const filter = { since: milliseconds(since), until: milliseconds(until) };
        const found = await index.find(between(query), n, filter);
        const data = found.map(({ id, path, score, codes }) => ({ id, path, score, codes: [...codes] }));
        return { model: model.model.id, data };
      }),
    );
    return c.json(reply, 200);
  });

  app.openapi(thumbnail, async (c) => {
    const { id } = c.req.valid("param");
    const png = await index.thumbnail(Number(id)).catch(() => undefined);
    if (!png) throw new ApiError(404, "picture_not_found", `no picture ${id}, or it no longer exists.`);
    return c.body(png as Uint8Array<ArrayBuffer>, 200, {
      "content-type": "image/png",
      "cache-control": "max-age=3600",
    });
  });
}

function milliseconds(time: string | undefined): number | undefined {
  return time === undefined ? undefined : Date.parse(time);
}
