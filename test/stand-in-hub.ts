/** A stand-in for the Hugging Face Hub: a server on this machine with one model, o/m, at one commit. */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export const COMMIT = "c".repeat(40);

/** Answers before the usual ones; returns whether it did. */
export type Answer = (request: IncomingMessage, response: ServerResponse, path: string) => boolean;

export interface Asked {
  readonly path: string;
  readonly range: string | undefined;
  readonly token: string | undefined;
}

export interface StandInHub {
  readonly url: string;
  close(): Promise<void>;
}

export const sha256Of = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

/** As git names a small file. */
export const gitSha = (bytes: Buffer): string =>
  createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");

/** contents: path in the repository -> bytes; all but JSON are "large" files, named by their SHA-256. */
export async function startHub(
  contents: Readonly<Record<string, Buffer>>,
  hooks: { readonly onAsked?: (asked: Asked) => void; readonly unusual?: Answer } = {},
): Promise<StandInHub> {
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url!, "http://x").pathname);
    hooks.onAsked?.({ path, range: request.headers.range, token: request.headers.authorization });
    if (hooks.unusual?.(request, response, path)) return;
    const json = (value: unknown) => response.setHeader("Content-Type", "application/json").end(JSON.stringify(value));
    if (path === "/api/models/o/m/revision/main") return void json({ _id: "1", id: "o/m", sha: COMMIT });
    if (path === `/api/models/o/m/tree/${COMMIT}`) return void json(entries(contents));
    const file = contents[path.slice(`/o/m/resolve/${COMMIT}/`.length)];
    if (!file) return void response.writeHead(404, { "X-Error-Code": "RepoNotFound" }).end();
    const start = Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
    response.writeHead(start > 0 ? 206 : 200).end(file.subarray(start));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

function entries(contents: Readonly<Record<string, Buffer>>): unknown[] {
  const folders = new Set(Object.keys(contents).flatMap((path) => path.split("/").slice(0, -1)));
  return [
    ...[...folders].map((path) => ({ type: "directory", path, size: 0, oid: "d".repeat(40) })),
    ...Object.entries(contents).map(([path, bytes]) => {
      const file = { type: "file", path, size: bytes.length };
      if (path.endsWith(".json")) return { ...file, oid: gitSha(bytes) };
      const lfs = { oid: sha256Of(bytes), size: bytes.length, pointerSize: 130 };
      return { ...file, oid: "e".repeat(40), lfs };
    }),
  ];
}
