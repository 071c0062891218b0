/** Which engines there are: the server that this page comes from, and this browser. */
import type { Engine } from "./engine.ts";
import { ServerEngine } from "./server.ts";

export async function findEngines(): Promise<readonly Engine[]> {
  const here = new URL(".", location.href).href.replace(/\/$/, "");
  const server = new ServerEngine(here);
  const reached = await server.models().then(
    () => true,
    () => false,
  );
  return reached ? [server] : [];
}
