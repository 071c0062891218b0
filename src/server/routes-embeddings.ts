/** `POST /v1/embeddings`: texts and pictures in the space that retrieval uses. */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { ApiError } from "./api-error.ts";
import { pictureBytes } from "./pictures.ts";
import { body, errors, jsonReply } from "./route-parts.ts";
import { embeddingsReply, embeddingsRequest } from "./schemas.ts";
import { base64, type Services, scoped } from "./services.ts";

const route = createRoute({
  method: "post",
  path: "/v1/embeddings",
  summary: "Unit vectors of texts and pictures in one space",
  request: { body: body(embeddingsRequest) },
  responses: { 200: jsonReply(embeddingsReply, "One vector for each input."), ...errors },
});

export function embeddingsRoutes(app: OpenAPIHono, services: Services): void {
  app.openapi(route, async (c) => {
    const { model: id, input, encoding_format, dimensions } = c.req.valid("json");
    const inputs = typeof input === "string" ? [input] : input;
    const vectors = await scoped(c, services, (signal) =>
      services.pool.use(id, (model) =>
        Promise.all(
          inputs.map(async (text, i) => {
            if (!text.startsWith("data:image/")) return model.embedText(text, signal);
            return model.embedImage(await pictureBytes(text, `input[${i}]`, services.pictures, signal), signal);
          }),
        ),
      ),
    );
    const width = vectors[0]?.length ?? 0;
    if (typeof dimensions === "number" && dimensions !== width)
      throw new ApiError(400, "invalid_dimensions", `dimensions: expected ${width}, which is what this model has.`, {
        param: "dimensions",
      });
    const encode = (vector: Float32Array): string | number[] =>
      encoding_format === "base64"
        ? base64(new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength))
        : [...vector];
    const words = inputs.reduce((sum, text) => sum + (text.startsWith("data:") ? 0 : text.split(/\s+/).length), 0);
    return c.json(
      {
        object: "list" as const,
        model: id,
        data: vectors.map((vector, index) => ({ object: "embedding" as const, index, embedding: encode(vector) })),
        usage: { prompt_tokens: words, total_tokens: words },
      },
      200,
    );
  });
}
