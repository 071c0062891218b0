/** Which engines there are: the server that this page comes from, and this browser where model folders are next to the page. */
import { BrowserEngine } from "./browser.ts";
import type { Device, Engine } from "./engine.ts";
import { ServerEngine } from "./server.ts";

/** @param onStatus called with what the browser is loading; "" when nothing is */
export async function findEngines(onStatus: (text: string) => void): Promise<readonly Engine[]> {
  const { models, indexed } = await offered();
  const server = new ServerEngine(new URL(".", document.baseURI).href.replace(/\/$/, ""), indexed);
  const [reached, devices] = await Promise.all([
    server.models().then(
      () => true,
      () => false,
    ),
    findDevices(),
  ]);
  return [...(reached ? [server] : []), ...(models.length > 0 ? [new BrowserEngine(models, devices, onStatus)] : [])];
}

interface Offered {
  /** Names of the model folders next to the page. */
  readonly models: readonly string[];
  /** How many pictures the server can search. */
  readonly indexed: number;
}

async function offered(): Promise<Offered> {
  try {
    const response = await fetch("./models.json");
    const { models, indexed } = (await response.json()) as { models?: unknown; indexed?: unknown };
    const names = Array.isArray(models) ? models.filter((name) => typeof name === "string") : [];
    return { models: names, indexed: typeof indexed === "number" ? indexed : 0 };
  } catch {
    return { models: [], indexed: 0 };
  }
}

async function findDevices(): Promise<readonly Device[]> {
  const { gpu } = navigator as { gpu?: { requestAdapter(): Promise<unknown> } };
  const adapter = await gpu?.requestAdapter().catch(() => undefined);
  return adapter ? ["cpu", "webgpu"] : [];
}
