/** The HTTP application: guards, the API in the shape of OpenAI's, Seedling's own routes, health, metrics, the page. */
import { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import { type AccessLine, accessLog } from "./access-log.ts";
import { ApiError, errorBody, logReason, toApiError } from "./api-error.ts";
import { bodyGuard, cors, type GuardOptions, hostGuard, keyGuard, securityHeaders } from "./guard.ts";
import { serverMetrics } from "./metrics.ts";
import type { PictureSearch } from "./picture-search.ts";
import { chatRoutes } from "./routes-chat.ts";
import { codesRoutes } from "./routes-codes.ts";
import { embeddingsRoutes } from "./routes-embeddings.ts";
import { imagesRoutes } from "./routes-images.ts";
import { modelFilesRoutes } from "./routes-model-files.ts";
import { modelsRoutes } from "./routes-models.ts";
import { searchRoutes } from "./routes-search.ts";
import type { Services } from "./services.ts";
import { staticFiles } from "./static-files.ts";

export interface AppOptions extends GuardOptions, Omit<Services, "onError"> {
  readonly version: string;
  /** Folder of the page, if there is one. */
  readonly page?: string;
  /** Model folders, by name, that the page may fetch to compute in the browser. Default: none. */
  readonly modelFolders?: ReadonlyMap<string, string>;
  /** The index that is searched, if there is one. */
  readonly search?: PictureSearch;
  readonly onRequest?: (line: AccessLine) => void;
  /** Takes errors that are not the fault of a request, for the log. */
  readonly onError?: (line: string) => void;
}

const ROUTES = [
  ...["/v1/chat/completions", "/v1/images/generations", "/v1/embeddings", "/v1/models"],
  ...[
    "/v1/tokenize",
    "/v1/detokenize",
    "/v1/reconstruct",
    "/v1/describe",
    "/v1/search",
    "/healthz",
    "/metrics",
    "/openapi.json",
  ],
];

export function createApp(options: AppOptions): OpenAPIHono {
  const onError = (error: unknown): void => {
    if (asApiError(error).status >= 500) options.onError?.(logReason(error));
  };
  const services: Services = { ...options, onError };
  const metrics = serverMetrics(options.pool, new Set(ROUTES));
  const app = new OpenAPIHono({
    defaultHook: (result) => {
      if (!result.success) throw invalid(result.error.issues);
    },
  });
  if (options.onRequest) app.use(accessLog(options.onRequest));
  app.use(metrics.observe, securityHeaders, hostGuard(options), cors(options));
  app.use("/v1/*", keyGuard(options), bodyGuard(options));
  app.use("/metrics", keyGuard(options));

  app.get("/healthz", (c) => c.json({ status: "ok" }));
  app.get("/metrics", async (c) => c.text(await metrics.text(), 200, { "content-type": metrics.contentType }));
  modelsRoutes(app, services);
  chatRoutes(app, services);
  imagesRoutes(app, services);
  embeddingsRoutes(app, services);
  codesRoutes(app, services);
  if (options.search) searchRoutes(app, services, options.search);
  if (options.apiKey !== undefined)
    app.openAPIRegistry.registerComponent("securitySchemes", "bearer", { type: "http", scheme: "bearer" });
  app.doc31("/openapi.json", {
    openapi: "3.1.0",
    info: { title: "Seedling", version: options.version, description: "Pictures to 32 causal codes, text, and back." },
    security: options.apiKey === undefined ? [] : [{ bearer: [] }],
  });
  if (options.page) modelFilesRoutes(app, options.modelFolders ?? new Map(), options.search?.size);
  if (options.page) app.get("*", staticFiles(options.page));
  app.notFound((c) => failed(c, new ApiError(404, "not_found", `${c.req.path.slice(0, 100)}: no such path.`)));
  app.onError((error, c) => {
    onError(error);
    return failed(c, error);
  });
  return app;
}

function failed(c: Context, thrown: unknown): Response {
  const error = asApiError(thrown);
  if (error.retryAfter !== undefined) c.header("retry-after", String(error.retryAfter));
  return c.json(errorBody(error), error.status as 400);
}

function asApiError(thrown: unknown): ApiError {
  return toApiError(thrown instanceof HTTPException ? fromHono(thrown) : thrown);
}

/** Bodies that are not JSON. */
function fromHono({ status, message }: HTTPException): ApiError {
  if (status === 400) return new ApiError(400, "invalid_json", "expected a body of valid JSON.");
  return new ApiError(status === 413 ? 413 : 500, "internal_error", message);
}

interface Issue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

function invalid(issues: readonly Issue[]): ApiError {
  const rows = issues.slice(0, 3).map(({ path, message }) => `${path.map(String).join(".") || "body"}: ${message}`);
  const param = issues[0]?.path.map(String).join(".") || null;
  return new ApiError(400, "invalid_request", rows.join("; ").slice(0, 600), { param });
}
