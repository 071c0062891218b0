import { render } from "preact";
import { App } from "./app.tsx";
import { findEngines } from "./engine/find-engines.ts";
import { applyTheme, engines, status, useEngine } from "./state/app-state.ts";
import { remembered } from "./state/store.ts";
import "./style.css";

applyTheme();
const root = document.getElementById("app");
if (root) {
  root.textContent = "";
  render(<App />, root);
}

try {
  engines.value = await findEngines((text) => {
    status.value = text;
  });
  const [only] = engines.value;
  // A static site works without a network; the page of a server is of no use without it.
  if (engines.value.length === 1 && only?.where === "browser" && "serviceWorker" in navigator)
    navigator.serviceWorker.register("./offline.js").catch(() => {});
  const last = remembered<string>("engine", "");
  const first = engines.value.find(({ where }) => where === last) ?? engines.value[0];
  if (first) await useEngine(first);
  else status.value = "There is no model here: neither a server nor a model folder next to this page.";
} catch (error) {
  status.value = error instanceof Error ? error.message : String(error);
}
