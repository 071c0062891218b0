/** Requests that mean harm, or are damaged: one clear answer each, and the server continues for others. */
import { connect } from "node:net";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createApp } from "./app.ts";
import { fakeModel } from "./fake-model.ts";
import { type Listening, listen } from "./listen.ts";
import { ModelPool } from "./model-pool.ts";

const PICTURE = `data:image/png;base64,${Buffer.from("abc").toString("base64")}`;
const TEXT = { model: "fake", messages: [{ role: "user", content: "hi" }] };
/** A good body for each route. */
const GOOD: Readonly<Record<string, object>> = {
  "/v1/chat/completions": TEXT,
  "/v1/images/generations": { prompt: "a" },
  "/v1/embeddings": { model: "fake", input: ["a"] },
  "/v1/tokenize": { images: [PICTURE] },
  "/v1/detokenize": { codes: [Array(32).fill(1)] },
  "/v1/reconstruct": { images: [PICTURE] },
  "/v1/describe": { images: [PICTURE] },
};
const ROUTES = Object.keys(GOOD);
const errors: string[] = [];
let server: Listening;

beforeAll(async () => {
  const pool = new ModelPool([{ id: "fake", open: async () => fakeModel("fake", 0) }], {
    maxWaiting: 100,
    keepAliveMs: 0,
  });
  const app = createApp({
    ...{ pool, version: "0", hosts: ["127.0.0.1"], origins: [], maxBodyBytes: 200_000, deadlineMs: 2000 },
    pictures: { maxBytes: 50_000, allowUrls: false },
    png: async () => new Uint8Array(4),
    onError: (line) => errors.push(line),
  });
  server = await listen(app, { host: "127.0.0.1", port: 0, graceMs: 100, headersMs: 300, requestMs: 600 });
});
afterAll(() => server.close());

async function post(path: string, body: string | Uint8Array<ArrayBuffer>): Promise<{ status: number; text: string }> {
  const answer = await fetch(server.url + path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body,
  });
  return { status: answer.status, text: await answer.text() };
}

/** An answer in the shape of the API, that is not the fault of the server. */
function expectClear(path: string, body: string, { status, text }: { status: number; text: string }): void {
  const shown = `${path} ${body.slice(0, 200)} -> ${status} ${text.slice(0, 200)}`;
  expect([200, 400, 404, 413], shown).toContain(status);
  if (status === 200) return;
  const { error } = JSON.parse(text) as { error: { message: string; type: string } };
  expect(error.message.length, shown).toBeGreaterThan(5);
  expect(error.message.length, shown).toBeLessThan(700);
  expect(error.message, shown).not.toContain("\n");
}

async function expectAlive(): Promise<void> {
  expect((await post("/v1/tokenize", JSON.stringify(GOOD["/v1/tokenize"]))).status).toBe(200);
}

test("any JSON for any route", async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...ROUTES), fc.json({ maxDepth: 4 }), async (path, body) =>
      expectClear(path, body, await post(path, body)),
    ),
    { numRuns: 150 },
  );
  await expectAlive();
});

test("good bodies with one field replaced by anything, or one more", async () => {
  const field = fc.oneof(fc.constantFrom(...ROUTES.flatMap((path) => Object.keys(GOOD[path] ?? {}))), fc.string());
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...ROUTES), field, fc.jsonValue({ maxDepth: 2 }), async (path, name, value) => {
      const body = JSON.stringify({ ...GOOD[path], [name]: value });
      expectClear(path, body, await post(path, body));
    }),
    { numRuns: 200 },
  );
  await expectAlive();
});

test("any bytes for any route", async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...ROUTES), fc.uint8Array({ maxLength: 300 }), async (path, bytes) =>
      expectClear(path, "bytes", await post(path, Uint8Array.from(bytes))),
    ),
    { numRuns: 100 },
  );
});

test.each<[name: string, body: string]>([
  ["nested a hundred thousand times", "[".repeat(100_000)],
  ["objects in objects", `${'{"a":'.repeat(30_000)}1${"}".repeat(30_000)}`],
  ["the same key twice", '{"images":[],"images":[]}'],
  ["__proto__", `{"__proto__":{"images":["x"]},"images":["${PICTURE}"]}`],
  ["a lone surrogate", '{"images":["\\ud800"]}'],
  ["a number beyond all", '{"images":[1e999]}'],
  ["a zero character", '{"images":["\\u0000"]}'],
])("%s", async (_, body) => {
  for (const path of ROUTES) expectClear(path, body, await post(path, body));
  await expectAlive();
});

/** What the server sends to a raw request, until it closes the connection. */
function raw(parts: readonly string[], pauseMs = 0): Promise<string> {
  const { hostname, port } = new URL(server.url);
  return new Promise((done) => {
    const socket = connect(Number(port), hostname);
    let text = "";
    socket.on("data", (part) => {
      text += String(part);
    });
    socket.on("error", () => {});
    socket.on("close", () => done(text));
    const send = ([first, ...rest]: readonly string[]): void => {
      if (first === undefined || socket.destroyed) return;
      socket.write(first);
      setTimeout(() => send(rest), pauseMs);
    };
    send(parts);
  });
}

test("headers that come a byte at a time are cut off, and so is such a body; others are answered meanwhile", async () => {
  const slowHeaders = raw(["POST /v1/tokenize HTTP/1.1\r\n", ..."X-Slow: aaaaaaaaaaaaaaaaaaaaaaaa"], 100);
  const start = "POST /v1/tokenize HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n";
  const slowBody = raw([`${start}Content-Length: 1000\r\n\r\n`, ..."{".repeat(40)], 100);
  await expectAlive();
  const [headers, body] = await Promise.all([slowHeaders, slowBody]);
  expect(headers).toContain("408");
  expect(body).toContain("408");
  await expectAlive();
});

test("line breaks in paths, names and hosts start no header", async () => {
  const close = "Connection: close\r\n\r\n";
  const answers = await Promise.all([
    raw([`GET /%0d%0aX-Injected:%20yes HTTP/1.1\r\nHost: 127.0.0.1\r\n${close}`]),
    raw([`GET /v1/models/%0d%0aX-Injected:%20yes HTTP/1.1\r\nHost: 127.0.0.1\r\n${close}`]),
    raw([`GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://127.0.0.1%0d%0aX-Injected: yes\r\n${close}`]),
    raw([`GET /healthz HTTP/1.1\nHost: 127.0.0.1\n X-Injected: yes\r\n${close}`]),
  ]);
  for (const answer of answers) expect(answer).not.toMatch(/^X-Injected/im);
  const named = await post("/v1/tokenize", JSON.stringify({ model: "a\r\nX-Injected: yes", images: [PICTURE] }));
  expectClear("/v1/tokenize", "a model's name", named);
});

test("two lengths of a body, or a length and chunks, are refused: no request hides in another", async () => {
  const head = "POST /v1/tokenize HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n";
  const hidden = "0\r\n\r\nGET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
  const answers = await Promise.all([
    raw([`${head}Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}   `]),
    raw([`${head}Content-Length: ${hidden.length}\r\nTransfer-Encoding: chunked\r\n\r\n${hidden}`]),
  ]);
  for (const answer of answers) {
    expect(answer).toMatch(/^HTTP\/1\.1 400/);
    expect(answer).not.toContain("seedling_requests_total");
  }
});

test("nothing of this was a fault of the server", () => {
  expect(errors).toEqual([]);
});
