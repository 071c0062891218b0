/** Which engines there are: the server that this page comes from, and this browser where model folders are beside the page. */
import { BrowserEngine } from "./browser.ts";
import type { Device, Engine } from "./engine.ts";
import { ServerEngine } from "./server.ts";

/** @param onStatus told what the browser is loading; "" when nothing is */
export async function findEngines(onStatus: (text: string) => void): Promise<readonly Engine[]> {
  const server = new ServerEngine(new URL(".", document.baseURI).href.replace(/\/$/, ""));
  const [reached, models, devices] = await Promise.all([
    server.models().then(
      () => true,
      () => false,
    ),
    offeredModels(),
    findDevices(),
  ]);
  return [...(reached ? [server] : []), ...(models.length > 0 ? [new BrowserEngine(models, devices, onStatus)] : [])];
}

/** Names of the model folders beside the page. */
async function offeredModels(): Promise<readonly string[]> {
  try {
    const response = await fetch("./models.json");
    const { models } = (await response.json()) as { models?: unknown };
    return response.ok && Array.isArray(models) ? models.filter((name) => typeof name === "string") : [];
  } catch {
    return [];
  }
}

async function findDevices(): Promise<readonly Device[]> {
  const { gpu } = navigator as { gpu?: { requestAdapter(): Promise<unknown> } };
  const adapter = await gpu?.requestAdapter().catch(() => undefined);
  return adapter ? ["cpu", "webgpu"] : [];
}
