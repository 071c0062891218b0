/** `POST /v1/search`: pictures of the index that show what a text says, that are like a picture, or both. */
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
  summary: "Find pictures of the index by a text, by a picture, or by both",
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
    const { model: id, text, image, n = 10 } = c.req.valid("json");
    const reply = await scoped(c, services, (signal) =>
      services.pool.use(id, async (model) => {
        index.expectModel(model.model.id, model.model.codebook);
        const picture = image === undefined ? undefined : await pictureBytes(image, "image", services.pictures, signal);
        const query = await Promise.all([
          ...(text === undefined ? [] : [model.embedText(text, signal)]),
          ...(picture ? [model.embedImage(picture, signal)] : []),
        ]);
        const found = await index.find(between(query), n);
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
