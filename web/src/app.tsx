/** The page: header, three tabs, status. */

import { ChatTab } from "./chat/chat-tab.tsx";
import { DrawTab } from "./draw/draw-tab.tsx";
import type { Device } from "./engine/engine.ts";
import { SearchTab } from "./search/search-tab.tsx";
import { SeeTab } from "./see/see-tab.tsx";
import {
  device,
  engine,
  engines,
  model,
  models,
  openTab,
  ready,
  setTheme,
  status,
  type Tab,
  type Theme,
  tab,
  tabs,
  theme,
  useDevice,
  useEngine,
  useModel,
} from "./state/app-state.ts";

const LABELS: Readonly<Record<Tab, string>> = { see: "See", draw: "Draw", chat: "Chat", search: "Search" };
const PLACES = { server: "on the server", browser: "in this browser" } as const;
const DEVICES = { cpu: "CPU", webgpu: "GPU (WebGPU)" } as const;

export function App() {
  const move = (event: KeyboardEvent): void => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (step === 0) return;
    const names = tabs.value;
    const next = names[(names.indexOf(tab.value) + step + names.length) % names.length] ?? "see";
    openTab(next);
    document.getElementById(`tab-${next}`)?.focus();
  };
  return (
    <>
      <header>
        <h1>
          <img src="./icon.svg" alt="" width="26" height="26" /> Seedling
        </h1>
        <div role="tablist" aria-label="What to do" onKeyDown={move}>
          {tabs.value.map((name) => (
            <button
              type="button"
              role="tab"
              id={`tab-${name}`}
              key={name}
              aria-selected={tab.value === name}
              aria-controls={`panel-${name}`}
              tabIndex={tab.value === name ? 0 : -1}
              onClick={() => openTab(name)}
            >
              {LABELS[name]}
            </button>
          ))}
        </div>
        <Choices />
      </header>
      <main>
        {status.value && (
          <p class="status" role="status">
            {status.value}
          </p>
        )}
        {tabs.value.map((name) => (
          <section
            role="tabpanel"
            id={`panel-${name}`}
            key={name}
            aria-labelledby={`tab-${name}`}
            hidden={tab.value !== name}
          >
            {name === "see" && <SeeTab active={tab.value === "see"} />}
            {name === "draw" && <DrawTab />}
            {name === "chat" && <ChatTab />}
            {name === "search" && <SearchTab active={tab.value === "search"} />}
          </section>
        ))}
      </main>
      <footer>
        {ready.value ? `Computed ${PLACES[engine.value!.where]}.` : ""} Pictures stay where the model runs; nothing is
        sent anywhere else.
      </footer>
    </>
  );
}

function Choices() {
  return (
    <div class="choices">
      {engines.value.length > 1 && (
        <label>
          <span class="sr">Where to compute</span>
          <select
            value={engine.value?.where}
            onChange={({ currentTarget }) => {
              const next = engines.value.find(({ where }) => where === currentTarget.value);
              if (next) void useEngine(next);
            }}
          >
            {engines.value.map(({ where }) => (
              <option key={where} value={where}>
                {PLACES[where]}
              </option>
            ))}
          </select>
        </label>
      )}
      {engine.value && engine.value.devices.length > 1 && (
        <label>
          <span class="sr">Device</span>
          <select value={device.value} onChange={({ currentTarget }) => useDevice(currentTarget.value as Device)}>
            {engine.value.devices.map((name) => (
              <option key={name} value={name}>
                {DEVICES[name]}
              </option>
            ))}
          </select>
        </label>
      )}
      {models.value.length > 1 && (
        <label>
          <span class="sr">Model</span>
          <select value={model.value} onChange={({ currentTarget }) => useModel(currentTarget.value)}>
            {models.value.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
      )}
      <label>
        <span class="sr">Colors</span>
        <select value={theme.value} onChange={({ currentTarget }) => setTheme(currentTarget.value as Theme)}>
          <option value="system">system colors</option>
          <option value="light">light</option>
          <option value="dark">dark</option>
        </select>
      </label>
    </div>
  );
}
