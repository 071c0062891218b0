/** Clients that ask a server over and over, and how long it took. */
import { Agent, request } from "node:http";
import { performance } from "node:perf_hooks";

/**
 * One request on a kept connection.
 * @param {string} url @param {Agent} agent @param {string} path @param {string} body JSON
 * @returns {Promise<{ status: number, ms: number, text: string }>}
 */
export function ask(url, agent, path, body) {
  const begun = performance.now();
  const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
  return new Promise((done, fail) => {
    const sent = request(url + path, { method: "POST", agent, headers }, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (part) => {
        text += part;
      });
      answer.on("error", fail);
      answer.on("end", () => done({ status: answer.statusCode, ms: performance.now() - begun, text }));
    });
    sent.on("error", fail);
    sent.end(body);
  });
}

/**
 * `clients` that each ask again as soon as they have their answer, for `seconds` seconds.
 * @param {{ url: string, path: string, body: (i: number) => object, clients: number, seconds: number, onAnswer?: (text: string) => void }} load
 * @returns {Promise<{ times: number[], seconds: number, failed: number }>} times of good answers, ms
 */
export async function askFor({ url, path, body, clients, seconds, onAnswer }) {
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const begun = performance.now();
  const end = begun + seconds * 1000;
  const times = [];
  let [failed, next] = [0, 0];
  const client = async () => {
    do {
      const { status, ms, text } = await ask(url, agent, path, JSON.stringify(body(next++)));
      if (status === 200) {
        times.push(ms);
        onAnswer?.(text);
      } else failed++;
    } while (performance.now() < end);
  };
  await Promise.all(Array.from({ length: clients }, client));
  agent.destroy();
  return { times, failed, seconds: (performance.now() - begun) / 1000 };
}
