/** All kinds of clients at once, some of which are wrong, leave, or read slowly: is anything the server's fault? */
import { Agent, request } from "node:http";
import { performance } from "node:perf_hooks";
import { ask } from "./http-load.mjs";
import { quantile } from "./stats.mjs";

const SECOND = 1000;
const later = (ms) => new Promise((done) => setTimeout(done, ms));

/** Requests that are the client's fault, each with the status that it must get. */
const WRONG = [
  { path: "/v1/tokenize", body: "{", status: 400 },
  { path: "/v1/tokenize", body: '{"images":["data:image/png;base64,AAAA"]}', status: 400 },
  { path: "/v1/detokenize", body: '{"codes":[[1,2]]}', status: 400 },
  { path: "/v1/chat/completions", body: '{"model":"other","messages":[{"role":"user","content":"x"}]}', status: 404 },
  { path: "/v1/nothing", body: "{}", status: 404 },
];

/**
 * @param {{ url: string, state: () => Promise<{ rss: number, delayMs: number }> }} server
 * @param {{ minutes: number, clients: number, work: Record<string, { path: string, body: (i: number) => object }> }} options
 */
export async function mixedLoad(server, { minutes, clients, work }) {
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const end = performance.now() + minutes * 60 * SECOND;
  /** @type {Map<string, number[]>} times by kind of answer */
  const answers = new Map();
  const faults = [];
  const note = (kind, ms) => {
    const times = answers.get(kind) ?? [];
    times.push(ms);
    answers.set(kind, times);
  };
  let next = 0;

  const good = (name) => async () => {
    const { path, body } = work[name];
    const { status, ms, text } = await ask(server.url, agent, path, JSON.stringify(body(next++)));
    if (status !== 200) faults.push(`${name}: ${status} ${text.slice(0, 200)}`);
    note(name, ms);
  };
  const wrong = async () => {
    const one = WRONG[next++ % WRONG.length];
    const { status, ms, text } = await ask(server.url, agent, one.path, one.body);
    if (status !== one.status)
      faults.push(`${one.path} ${one.body}: expected ${one.status}, got ${status} ${text.slice(0, 200)}`);
    note("refused", ms);
    await later(SECOND);
  };
  /** Leaves in the middle of a streamed reply. */
  const leaver = async () => {
    await streamed(server.url, work.chat, next++, async (answer) => {
      await later(50 + Math.random() * SECOND);
      answer.destroy();
    });
    note("left", 0);
    await later(SECOND);
  };
  /** Reads a streamed reply a piece at a time. */
  const slowReader = async () => {
    const begun = performance.now();
    await streamed(server.url, work.chat, next++, async (answer) => {
      for await (const _ of answer) await later(100);
    });
    note("read slowly", performance.now() - begun);
  };

  const kinds = [
    ...Array(4).fill(good("tokenize")),
    ...[good("chat"), good("chat"), good("draw"), wrong, leaver, slowReader],
  ];
  const client = async (kind) => {
    while (performance.now() < end)
      await kind().catch((error) => {
        faults.push(`no answer: ${error.message}`);
        return later(SECOND);
      });
  };
  const samples = [];
  const watch = async () => {
    while (performance.now() < end) {
      await later(Math.min(5 * SECOND, minutes * 6 * SECOND));
      samples.push({ at: performance.now(), ...(await server.state()) });
    }
  };
  await Promise.all([watch(), ...Array.from({ length: clients }, (_, i) => client(kinds[i % kinds.length]))]);
  agent.destroy();

  const rows = [...answers].map(([kind, times]) => [
    ...[kind, String(times.length), quantile(times, 0.5).toFixed(0), quantile(times, 0.99).toFixed(0)],
  ]);
  const settled = samples.filter(({ at }) => at > samples[0].at + 60 * SECOND || minutes < 2);
  const perMinute = slope(settled.map(({ at, rss }) => [at / 60 / SECOND, rss / 1e6]));
  return {
    rows,
    summary: [
      `Answers that are the server's fault: ${faults.length}${faults.length > 0 ? `, such as ${faults[0]}` : ""}.`,
      `Memory: ${(settled.at(-1).rss / 1e6).toFixed(0)} MB at the end, ${perMinute.toFixed(2)} MB a minute${minutes < 2 ? "" : " after the first"}.`,
      `Delay of the event loop: p99 ${Math.max(...settled.map(({ delayMs }) => delayMs)).toFixed(0)} ms in the worst interval.`,
    ],
  };
}

/** A streamed reply, handed to `read` as it begins. */
function streamed(url, { path, body }, i, read) {
  const text = JSON.stringify({ ...body(i), stream: true });
  return new Promise((done, fail) => {
    const sent = request(url + path, { method: "POST", headers: { "content-type": "application/json" } }, (answer) => {
      answer.on("error", () => {}); // it is we who leave
      read(answer).then(done, fail);
    });
    sent.on("error", fail);
    sent.end(text);
  });
}

/** Of a line through points, by least squares. @param {readonly (readonly [number, number])[]} points */
function slope(points) {
  const mean = (k) => points.reduce((sum, point) => sum + point[k], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  const [above, below] = points.reduce(
    ([a, b], point) => [a + (point[0] - x) * (point[1] - y), b + (point[0] - x) ** 2],
    [0, 0],
  );
  return below > 0 ? above / below : 0;
}
