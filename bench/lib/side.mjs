/** A side of a comparison: a child process that answers one JSON line with one JSON line. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

export class Side {
  #child;
  #lines;

  /** @param {string} name @param {string} command @param {string[]} args */
  constructor(name, command, args) {
    this.name = name;
    this.#child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
    this.#child.on("error", (error) => {
      throw new Error(`${name}: cannot start ${command} (${error.message}). See bench/README.md.`);
    });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** @param {Record<string, unknown>} request */
  async ask(request) {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`${this.name}: ended while asked to ${request.do}.`);
    return JSON.parse(value);
  }

  /** Ends the process. */
  close() {
    this.#child.stdin.end();
  }
}

/** Answers requests on stdin until it ends. @param {Record<string, (request: any) => unknown>} answers */
export async function serve(answers) {
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    process.stdout.write(`${JSON.stringify(await answers[request.do](request))}\n`);
  }
}
