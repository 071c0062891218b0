/** `GET /v1/models`: what is served. */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { ApiError } from "./api-error.ts";
import { errors, jsonReply } from "./route-parts.ts";
import { modelEntry, modelsReply } from "./schemas.ts";
import type { Services } from "./services.ts";

const list = createRoute({
  method: "get",
  path: "/v1/models",
  summary: "The served models; the first is the default",
  responses: { 200: jsonReply(modelsReply, "All models."), 401: errors[401] },
});
const one = createRoute({
  method: "get",
  path: "/v1/models/{id}",
  summary: "One model",
  request: { params: z.object({ id: z.string().max(200) }) },
  responses: { 200: jsonReply(modelEntry, "The model."), 400: errors[400], 401: errors[401], 404: errors[404] },
});

export function modelsRoutes(app: OpenAPIHono, { pool }: Services): void {
  const entry = (id: string) => ({ id, object: "model" as const, created: 0, owned_by: "seedling" });
  app.openapi(list, (c) => c.json({ object: "list" as const, data: pool.ids.map(entry) }, 200));
  app.openapi(one, (c) => {
    const { id } = c.req.valid("param");
    if (!pool.ids.includes(id)) throw new ApiError(404, "model_not_found", "no such model.", { param: "model" });
    return c.json(entry(id), 200);
  });
}
