/** Pictures in requests: data URLs, and other URLs only where the server allows them. Sizes are checked before decoding. */
import { lookup } from "node:dns";
import { get as httpGet, type IncomingMessage } from "node:http";
import { get as httpsGet } from "node:https";
import { BlockList, isIP, type LookupFunction } from "node:net";
import { ApiError } from "./api-error.ts";

export interface PictureLimits {
  /** Most bytes of one picture. */
  readonly maxBytes: number;
  /** Whether http and https URLs are fetched, from public addresses only. */
  readonly allowUrls: boolean;
}

const DATA_URL = /^data:(image\/[a-z0-9.+-]+);base64,/i;
const FETCH_MS = 10_000;
const MAX_REDIRECTS = 3;

/** The encoded bytes of a picture. @param param where it is in the request, for the error */
export async function pictureBytes(
  url: string,
  param: string,
  limits: PictureLimits,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  if (/^data:/i.test(url)) return fromDataUrl(url, param, limits.maxBytes);
  if (!/^https?:/i.test(url)) throw bad(param, "expected a data URL of a picture (data:image/png;base64,...).");
  if (!limits.allowUrls)
    throw bad(param, "this server does not fetch URLs. Send a data URL, or start it with --allow-urls.");
  return fetchPicture(url, param, limits.maxBytes, signal);
}

/** Base64 without a data URL. */
export function base64Bytes(text: string, param: string, maxBytes: number): Uint8Array {
  if ((text.length / 4) * 3 > maxBytes + 3) throw tooLarge(param, maxBytes);
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const bytes = Buffer.from(text, "base64"); // leaves out whatever is not base64, and is then shorter
  if (text.length === 0 || text.length % 4 !== 0 || bytes.length !== (text.length / 4) * 3 - padding)
    throw bad(param, "expected base64.");
  return bytes;
}

function fromDataUrl(url: string, param: string, maxBytes: number): Uint8Array {
  const head = DATA_URL.exec(url.slice(0, 100))?.[0];
  if (!head) throw bad(param, "expected a data URL of a picture (data:image/png;base64,...).");
  return base64Bytes(url.slice(head.length), param, maxBytes);
}

/** Follows redirects by hand, so that each address is checked before anything is sent to it. */
async function fetchPicture(url: string, param: string, maxBytes: number, signal?: AbortSignal): Promise<Uint8Array> {
  const limit = AbortSignal.timeout(FETCH_MS);
  const both = signal ? AbortSignal.any([signal, limit]) : limit;
  let at = url;
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    const answer = await request(at, param, both);
    const { statusCode = 0, headers } = answer;
    if (statusCode >= 300 && statusCode < 400 && headers.location && URL.canParse(headers.location, at)) {
      answer.destroy();
      at = new URL(headers.location, at).href;
      continue;
    }
    if (statusCode !== 200) {
      answer.destroy();
      throw bad(param, `${new URL(at).host} answered ${statusCode}.`);
    }
    return readBounded(answer, param, maxBytes);
  }
  throw bad(param, `more than ${MAX_REDIRECTS} redirects.`);
}

/** One request to a public address. The address that is connected to is checked, so a name cannot change in between. */
function request(url: string, param: string, signal: AbortSignal): Promise<IncomingMessage> {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (!parsed || !/^https?:$/.test(parsed.protocol)) throw bad(param, "expected an http or https URL.");
  const literal = parsed.hostname.replace(/^\[|\]$/g, "");
  if (isIP(literal) && !isPublicAddress(literal)) throw bad(param, `${literal} is not a public address.`);
  const get = parsed.protocol === "https:" ? httpsGet : httpGet;
  return new Promise((done, fail) => {
    const refused = (error: Error): void =>
      fail(error instanceof ApiError ? error : bad(param, `the picture could not be fetched from ${parsed.host}.`));
    get(parsed, { lookup: publicLookup(param), signal, headers: { accept: "image/*" } }, done).on("error", refused);
  });
}

function publicLookup(param: string): LookupFunction {
  return (host, options, callback) => {
    lookup(host, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, []);
      if (addresses.length > 0 && addresses.every(({ address }) => isPublicAddress(address))) {
        const [first] = addresses;
        return options.all ? callback(null, addresses) : callback(null, first?.address ?? "", first?.family);
      }
      callback(bad(param, `${host} has no public address.`), []);
    });
  };
}

async function readBounded(body: IncomingMessage, param: string, maxBytes: number): Promise<Uint8Array> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of body) {
    size += (part as Buffer).length;
    if (size > maxBytes) throw tooLarge(param, maxBytes);
    parts.push(part as Buffer);
  }
  return Buffer.concat(parts);
}

/** Addresses that a request must not make the server contact: its own machine, its network, the cloud's metadata. */
const PRIVATE = new BlockList();
for (const [net, bits] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["224.0.0.0", 3],
] as const)
  PRIVATE.addSubnet(net, bits, "ipv4");
for (const [net, bits] of [
  ["::", 127],
  ["64:ff9b::", 96],
  ["fc00::", 7],
  ["fe80::", 10],
  ["ff00::", 8],
] as const)
  PRIVATE.addSubnet(net, bits, "ipv6");

export function isPublicAddress(address: string): boolean {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  const plain = mapped ?? address;
  const family = isIP(plain);
  if (family === 0 || /^::ffff:/i.test(plain)) return false;
  return !PRIVATE.check(plain, family === 4 ? "ipv4" : "ipv6");
}

function bad(param: string, message: string): ApiError {
  return new ApiError(400, "invalid_image_url", `${param}: ${message}`, { param });
}

function tooLarge(param: string, maxBytes: number): ApiError {
  return new ApiError(413, "image_too_large", `${param}: expected a picture of at most ${maxBytes} bytes.`, { param });
}
