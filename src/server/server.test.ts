/** The server on loopback with a model that computes nothing, asked by the official client and by hand. */
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import OpenAI from "openai";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type AppOptions, createApp } from "./app.ts";
import { type FakeModel, fakeModel } from "./fake-model.ts";
import { type Listening, listen } from "./listen.ts";
import { ModelPool } from "./model-pool.ts";

let model: FakeModel;
let server: Listening;
let errors: string[];
let page: string;

const PICTURE = `data:image/png;base64,${Buffer.from("abc").toString("base64")}`;
const later = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

async function start(options: Partial<AppOptions> = {}, maxWaiting = 100): Promise<Listening> {
  const pool = new ModelPool([{ id: "fake", open: async () => model }], { maxWaiting, keepAliveMs: 0 });
  const app = createApp({
    pool,
    version: "0.0.0",
    hosts: ["127.0.0.1", "localhost", "[::1]"],
    origins: [],
    maxBodyBytes: 100_000,
    pictures: { maxBytes: 50_000, allowUrls: false },
    deadlineMs: 5000,
    png: async () => new Uint8Array([137, 80, 78, 71]),
    page,
    onError: (line) => errors.push(line),
    ...options,
  });
  return listen(app, { host: "127.0.0.1", port: 0, graceMs: 1000 });
}

beforeEach(async () => {
  model = fakeModel();
  errors = [];
  page = await mkdtemp(join(tmpdir(), "seedling-page-"));
  await writeFile(join(page, "index.html"), "<h1>page</h1>");
  server = await start();
});
afterEach(async () => {
  await server.close();
  await rm(page, { recursive: true });
});

const client = (apiKey = "none"): OpenAI => new OpenAI({ baseURL: `${server.url}/v1`, apiKey, maxRetries: 0 });

async function post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(server.url + path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}

test("the official client: models, chat, streamed chat, pictures, embeddings", async () => {
  const openai = client();
  expect((await openai.models.list()).data.map(({ id }) => id)).toEqual(["fake"]);
  expect((await openai.models.retrieve("fake")).owned_by).toBe("seedling");

  const messages = [
    {
      role: "user" as const,
      content: [
        { type: "image_url" as const, image_url: { url: PICTURE } },
        { type: "text" as const, text: "hello you" },
      ],
    },
  ];
  const reply = await openai.chat.completions.create({ model: "fake", messages });
  expect(reply.choices[0]?.message.content).toBe("hello you");
  expect(reply.usage?.completion_tokens).toBe(2);

  const stream = await openai.chat.completions.create({
    model: "fake",
    messages,
    stream: true,
    stream_options: { include_usage: true },
  });
  let text = "";
  let usage: number | undefined;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? "";
    usage = chunk.usage?.total_tokens ?? usage;
  }
  expect([text.trim(), usage]).toEqual(["hello you", 4]);

  const drawn = await openai.chat.completions.create({ model: "fake", messages: [{ role: "user", content: "draw" }] });
  const images = (drawn.choices[0]!.message as unknown as { images: { image_url: { url: string } }[] }).images;
  expect(images[0]?.image_url.url).toMatch(/^data:image\/png;base64,/);

  const picture = await openai.images.generate({ model: "fake", prompt: "a cat", n: 2 });
  expect(picture.data?.length).toBe(2);
  const partial = await openai.images.generate({ model: "fake", prompt: "a cat", stream: true, partial_images: 2 });
  const kinds: string[] = [];
  for await (const event of partial) kinds.push(event.type);
  expect(kinds).toEqual([
    "image_generation.partial_image",
    "image_generation.partial_image",
    "image_generation.completed",
  ]);

  const vectors = await openai.embeddings.create({ model: "fake", input: ["four", PICTURE] });
  expect(vectors.data.map(({ embedding }) => [...embedding])).toEqual([
    [4, 0.5],
    [97, 1],
  ]);
});

test("the codes of pictures, pictures of codes, and requests that wait computed together", async () => {
  await server.close();
  model = fakeModel("fake", 100);
  server = await start();
  const many = await Promise.all(Array.from({ length: 20 }, () => post("/v1/tokenize", { images: [PICTURE] })));
  for (const answer of many) {
    const { codes } = (await answer.json()) as { codes: number[][] };
    expect(codes[0]?.slice(0, 4)).toEqual([97, 98, 99, 97]);
  }
  expect(model.batches.length).toBeLessThan(10);
  const codes = Array.from({ length: 32 }, (_, i) => i);
  const pictures = (await (await post("/v1/detokenize", { codes: [codes], keep: 4, seed: 7 })).json()) as {
    images: { seed: number }[];
  };
  expect(pictures.images[0]).toMatchObject({ b64_json: "iVBORw==", seed: 7, codes });
  expect((await post("/v1/reconstruct", { images: [PICTURE] })).status).toBe(200);
  const described = await post("/v1/describe", { images: [PICTURE], codes: [codes] });
  expect(((await described.json()) as { texts: string[] }).texts).toEqual(["codes 97", "codes 0"]);
  expect((await post("/v1/describe", {})).status).toBe(400);
});

test("an assistant's message can be sent back as it came, pictures with their codes", async () => {
  const messages: object[] = [{ role: "user", content: "draw" }];
  const first = (await (await post("/v1/chat/completions", { model: "fake", messages })).json()) as {
    choices: { message: object }[];
  };
  messages.push(first.choices[0]!.message, { role: "user", content: "thanks" });
  expect((await post("/v1/chat/completions", { model: "fake", messages })).status).toBe(200);
});

test.each<[name: string, path: string, body: unknown, status: number, message: string]>([
  ["no JSON", "/v1/tokenize", "{", 400, "valid JSON"],
  ["an unknown field", "/v1/tokenize", { images: [PICTURE], size: 3 }, 400, "size"],
  ["a wrong type", "/v1/chat/completions", { model: "fake", messages: "hi" }, 400, "messages"],
  [
    "a setting that would change the reply",
    "/v1/chat/completions",
    { model: "fake", messages: [{ role: "user", content: "x" }], frequency_penalty: 1 },
    400,
    "frequency_penalty",
  ],
  [
    "an unknown model",
    "/v1/chat/completions",
    { model: "gpt", messages: [{ role: "user", content: "x" }] },
    404,
    "not served here; these are: fake",
  ],
  [
    "an assistant's turn last",
    "/v1/chat/completions",
    { model: "fake", messages: [{ role: "assistant", content: "x" }] },
    400,
    "from the user",
  ],
  ["31 codes", "/v1/detokenize", { codes: [Array(31).fill(0)] }, 400, "codes.0"],
  ["broken base64", "/v1/tokenize", { images: ["data:image/png;base64,####"] }, 400, "images[0]: expected base64"],
  ["a URL", "/v1/tokenize", { images: ["http://127.0.0.1/x.png"] }, 400, "does not fetch URLs"],
  [
    "a large picture",
    "/v1/tokenize",
    { images: [`data:image/png;base64,${"A".repeat(80_000)}`] },
    413,
    "at most 50000 bytes",
  ],
  ["a large body", "/v1/tokenize", { images: ["x".repeat(200_000)] }, 413, "at most 100000 bytes"],
  ["another size", "/v1/images/generations", { prompt: "x", size: "1024x1024" }, 400, '"2x2"'],
  ["n with stream", "/v1/images/generations", { prompt: "x", n: 2, stream: true }, 400, "expected 1 with stream"],
  ["no such path", "/v1/nothing", {}, 404, "no such path"],
])("%s is one clear error in OpenAI's shape", async (_, path, body, status, message) => {
  const answer = await post(path, body);
  const { error } = (await answer.json()) as { error: { message: string; type: string } };
  expect([answer.status, error.type]).toEqual([status, "invalid_request_error"]);
  expect(error.message).toContain(message);
});

test("a body that is not JSON by its type is refused", async () => {
  const answer = await post("/v1/tokenize", "images=1", { "content-type": "text/plain" });
  expect(answer.status).toBe(415);
});

test("a model that fails is a 500 without its details, which go to the log; the next request is served", async () => {
  const answer = await post("/v1/chat/completions", { model: "fake", messages: [{ role: "user", content: "fail" }] });
  const text = await answer.text();
  expect([answer.status, text.includes("secret")]).toEqual([500, false]);
  expect(errors.join()).toContain("secret path");
  expect((await post("/v1/tokenize", { images: [PICTURE] })).status).toBe(200);
});

test("more requests than may wait get 429 and a time to try again", async () => {
  await server.close();
  server = await start({}, 2);
  const answers = await Promise.all(
    Array.from({ length: 8 }, () =>
      post("/v1/chat/completions", {
        model: "fake",
        messages: [{ role: "user", content: "word ".repeat(100) }],
        max_tokens: 100,
      }),
    ),
  );
  const statuses = answers.map(({ status }) => status);
  expect(statuses.filter((status) => status === 200).length).toBe(2);
  expect(answers.find(({ status }) => status === 429)?.headers.get("retry-after")).toBe("1");
});

test("a client that leaves ends the computation", async () => {
  const stop = new AbortController();
  const messages = [{ role: "user" as const, content: "endless" }];
  const stream = await client().chat.completions.create(
    { model: "fake", messages, stream: true },
    { signal: stop.signal },
  );
  const iterator = stream[Symbol.asyncIterator]();
  await iterator.next();
  stop.abort();
  await iterator.next().catch(() => {});
  await later(100);
  const { tokens } = model;
  await later(100);
  expect(model.tokens).toBe(tokens);
});

test("a request that takes too long gets 504", async () => {
  await server.close();
  server = await start({ deadlineMs: 100 });
  const answer = await post("/v1/chat/completions", {
    model: "fake",
    messages: [{ role: "user", content: "endless" }],
  });
  expect(answer.status).toBe(504);
  const { tokens } = model;
  await later(60);
  expect(model.tokens).toBeLessThan(tokens + 3);
});

test("other host names and pages of other origins are refused, allowed ones may read", async () => {
  const ask = (headers: Record<string, string>): Promise<number> =>
    new Promise((done, fail) => {
      httpRequest(`${server.url}/healthz`, { headers }, (answer) => done(answer.resume().statusCode ?? 0))
        .on("error", fail)
        .end();
    });
  expect(await ask({ host: "evil.example" })).toBe(403);
  expect(await ask({ origin: "https://evil.example" })).toBe(403);
  expect(await ask({ origin: server.url })).toBe(200);
  await server.close();
  server = await start({ origins: ["https://app.example"] });
  const allowed = await fetch(`${server.url}/healthz`, { headers: { origin: "https://app.example" } });
  expect(allowed.headers.get("access-control-allow-origin")).toBe("https://app.example");
  const preflight = await fetch(`${server.url}/v1/tokenize`, {
    method: "OPTIONS",
    headers: { origin: "https://app.example" },
  });
  expect(preflight.status).toBe(204);
});

test("with an API key, the API needs it and the page does not", async () => {
  await server.close();
  server = await start({ apiKey: "secret" });
  expect((await fetch(`${server.url}/v1/models`)).status).toBe(401);
  await expect(client("wrong").models.list()).rejects.toThrow("401");
  expect((await client("secret").models.list()).data.length).toBe(1);
  expect((await fetch(`${server.url}/metrics`)).status).toBe(401);
  expect((await fetch(server.url)).status).toBe(200);
});

test("the page's files are served and nothing else", async () => {
  await mkdir(join(page, "sub"));
  await writeFile(join(page, "model.safetensors"), "0123456789");
  await symlink("/etc/passwd", join(page, "link.txt"));
  expect(await (await fetch(`${server.url}/`)).text()).toBe("<h1>page</h1>");
  const range = await fetch(`${server.url}/model.safetensors`, { headers: { range: "bytes=2-4" } });
  expect([range.status, range.headers.get("content-range"), await range.text()]).toEqual([206, "bytes 2-4/10", "234"]);
  const suffix = await fetch(`${server.url}/model.safetensors`, { headers: { range: "bytes=-3" } });
  expect(await suffix.text()).toBe("789");
  expect((await fetch(`${server.url}/model.safetensors`, { headers: { range: "bytes=50-" } })).status).toBe(416);
  for (const path of ["/link.txt", "/..%2f..%2fetc%2fpasswd", "/sub", "/%00", "/a%5c..%5cb", "/%e0%a4%a"])
    expect((await fetch(server.url + path)).status, path).toBe(404);
  const raw = await new Promise<string>((done) => {
    const socket = connect(Number(new URL(server.url).port), "127.0.0.1", () =>
      socket.write("GET /../../../etc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
    );
    let text = "";
    socket.on("data", (part) => {
      text += String(part);
    });
    socket.on("close", () => done(text));
  });
  expect(raw).not.toContain("root:");
});

test("every reply has the security headers; metrics count by route; OpenAPI describes the API", async () => {
  const health = await fetch(`${server.url}/healthz`);
  expect(health.headers.get("content-security-policy")).toContain("default-src 'self'");
  expect(health.headers.get("x-content-type-options")).toBe("nosniff");
  await post("/v1/tokenize", { images: [PICTURE] });
  await fetch(`${server.url}/some/stranger`);
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  expect(metrics).toContain('seedling_requests_total{route="/v1/tokenize",status="200"} 1');
  expect(metrics).not.toContain("stranger");
  const openapi = (await (await fetch(`${server.url}/openapi.json`)).json()) as { paths: Record<string, unknown> };
  expect(Object.keys(openapi.paths).sort()).toEqual([
    "/v1/chat/completions",
    "/v1/describe",
    "/v1/detokenize",
    "/v1/embeddings",
    "/v1/images/generations",
    "/v1/models",
    "/v1/models/{id}",
    "/v1/reconstruct",
    "/v1/tokenize",
  ]);
});

test("a shutdown lets running replies end", async () => {
  const reply = post("/v1/chat/completions", { model: "fake", messages: [{ role: "user", content: "a b c d e" }] });
  await expect.poll(() => model.tokens).toBeGreaterThan(0);
  const closing = server.close();
  expect((await reply).status).toBe(200);
  await closing;
  await expect(fetch(`${server.url}/healthz`)).rejects.toThrow();
  server = await start();
});

test("models are opened when first asked for, closed when idle, and opened again", async () => {
  let opened = 0;
  const open = async () => {
    opened++;
    model = fakeModel();
    return model;
  };
  const pool = new ModelPool([{ id: "fake", open }], { maxWaiting: 10, keepAliveMs: 30 });
  expect(opened).toBe(0);
  await pool.use("fake", async () => {});
  expect([opened, model.closed]).toEqual([1, false]);
  await later(60);
  expect(model.closed).toBe(true);
  await pool.use(undefined, async () => {});
  expect(opened).toBe(2);
  await pool.close();
  await expect(pool.use("fake", async () => {})).rejects.toThrow("shutting down");
});

test("a model that cannot be opened is a 503, and the next request tries again", async () => {
  let tries = 0;
  const open = async () => {
    if (++tries === 1) throw new (await import("../base/errors.ts")).SetupError("x: out of memory.");
    return model;
  };
  const pool = new ModelPool([{ id: "fake", open }], { maxWaiting: 10, keepAliveMs: 0 });
  await server.close();
  server = await start({ pool });
  const ask = (): Promise<Response> => post("/v1/tokenize", { images: [PICTURE] });
  expect((await ask()).status).toBe(503);
  expect((await ask()).status).toBe(200);
});

test("a worker that dies: what it computed is answered 500 once, the next request opens the model again", async () => {
  const { RuntimeEndedError } = await import("../base/errors.ts");
  let opened = 0;
  const open = async () => {
    const dead = ++opened === 1;
    return { ...model, encode: dead ? () => Promise.reject(new RuntimeEndedError("died")) : model.encode };
  };
  await server.close();
  server = await start({ pool: new ModelPool([{ id: "fake", open }], { maxWaiting: 10, keepAliveMs: 0 }) });
  const first = await post("/v1/tokenize", { images: [PICTURE] });
  expect([first.status, await first.text()]).toEqual([500, expect.stringContaining("is being restarted")]);
  expect((await post("/v1/tokenize", { images: [PICTURE] })).status).toBe(200);
  expect(opened).toBe(2);
  await expect.poll(() => model.closed).toBe(true);
});
