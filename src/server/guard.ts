/** Which requests are accepted: host, origin, API key, body size; and security headers. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import { ApiError } from "./api-error.ts";

export interface GuardOptions {
  /** Host names under which the server answers, without port; "*" for any. */
  readonly hosts: readonly string[];
  /** Origins of pages that may read replies; none by default. */
  readonly origins: readonly string[];
  /** Required of every request to the API if set. */
  readonly apiKey?: string;
  readonly maxBodyBytes: number;
}

/**
 * Refuses requests for other host names: a page elsewhere can make its own name resolve to this machine (DNS rebinding)
 * and would pass as same-origin.
 */
export function hostGuard({ hosts, origins }: GuardOptions): MiddlewareHandler {
  const known = (name: string): boolean => hosts.includes("*") || hosts.includes(name.toLowerCase());
  return async (c, next) => {
    const host = c.req.header("host") ?? "";
    if (!known(hostName(host)))
      throw new ApiError(
        403,
        "wrong_host",
        `this server does not answer for the host ${JSON.stringify(host.slice(0, 80))}.`,
      );
    const origin = c.req.header("origin");
    if (origin && !origins.includes(origin) && !sameOrigin(origin, host))
      throw new ApiError(403, "wrong_origin", "pages of this origin may not call this server. Allow it with --cors.");
    await next();
  };
}

/** "[::1]:80" -> "[::1]". */
function hostName(host: string): string {
  return host.replace(/:\d*$/, "");
}

function sameOrigin(origin: string, host: string): boolean {
  return URL.canParse(origin) && new URL(origin).host === host.toLowerCase();
}

/** Headers for the pages that were allowed, and the answer to their preflight requests. */
export function cors({ origins }: GuardOptions): MiddlewareHandler {
  return async (c, next) => {
    const origin = c.req.header("origin");
    const allowed = origin !== undefined && origins.includes(origin);
    if (allowed) {
      c.header("access-control-allow-origin", origin);
      c.header("vary", "origin");
    }
    if (!allowed || c.req.method !== "OPTIONS") return next();
    c.header("access-control-allow-methods", "GET, POST");
    c.header("access-control-allow-headers", "authorization, content-type");
    c.header("access-control-max-age", "600");
    return c.body(null, 204);
  };
}

/** `Authorization: Bearer KEY`, compared in constant time. */
export function keyGuard({ apiKey }: GuardOptions): MiddlewareHandler {
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  const wanted = apiKey === undefined ? undefined : digest(apiKey);
  return async (c, next) => {
    const given = /^Bearer (.+)$/i.exec(c.req.header("authorization") ?? "")?.[1];
    if (wanted && !(given && timingSafeEqual(digest(given), wanted)))
      throw new ApiError(401, "invalid_api_key", "expected a valid API key in the Authorization header.");
    await next();
  };
}

export function bodyGuard({ maxBodyBytes }: GuardOptions): MiddlewareHandler {
  const limit = bodyLimit({
    maxSize: maxBodyBytes,
    onError: () => {
      throw new ApiError(413, "request_too_large", `expected a body of at most ${maxBodyBytes} bytes.`);
    },
  });
  return async (c, next) => {
    if (c.req.method === "POST" && !/^application\/json\b/i.test(c.req.header("content-type") ?? ""))
      throw new ApiError(415, "unsupported_media_type", "expected a body of type application/json.");
    return limit(c, next);
  };
}

/** For every reply. The policy lets the page run its own scripts and workers, WebAssembly included, and nothing else. */
const HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy":
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; style-src 'self' 'unsafe-inline'; " +
    "img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self' data: blob:; object-src 'none'; base-uri 'none'; " +
    "form-action 'none'; frame-ancestors 'none'",
  "cross-origin-embedder-policy": "require-corp",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

export const securityHeaders: MiddlewareHandler = async (c, next) => {
  await next();
  for (const [name, value] of Object.entries(HEADERS)) c.res.headers.set(name, value);
};
