/** State that the tabs share. */
import { computed, signal } from "@preact/signals";
import type { Device, Engine, Picture } from "../engine/engine.ts";
import { remember, remembered } from "./store.ts";

export type Tab = "see" | "draw" | "chat" | "search";
export type Theme = "system" | "light" | "dark";

const TABS: readonly Tab[] = ["see", "draw", "chat", "search"];

export const tab = signal<Tab>(tabOf(location.hash));
export const theme = signal<Theme>(remembered<Theme>("theme", "system"));
export const engines = signal<readonly Engine[]>([]);
export const engine = signal<Engine | undefined>(undefined);
export const models = signal<readonly string[]>([]);
export const model = signal("");
export const device = signal<Device>("cpu");
/** What is being loaded, for the status line. */
export const status = signal("");
/** A picture that one tab hands to another. */
export const handed = signal<Picture | undefined>(undefined);
/** The tabs that the engine has something to do in. */
export const tabs = computed(() => TABS.filter((name) => name !== "search" || (engine.value?.indexed ?? 0) > 0));
export const ready = computed(() => engine.value !== undefined);

export function openTab(next: Tab): void {
  tab.value = next;
  history.replaceState(null, "", `#${next}`);
}

export function setTheme(next: Theme): void {
  theme.value = next;
  remember("theme", next);
  applyTheme();
}

export function applyTheme(): void {
  if (theme.value === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme.value;
}

export async function useEngine(next: Engine): Promise<void> {
  models.value = await next.models();
  engine.value = next;
  remember("engine", next.where);
  if (!tabs.value.includes(tab.value)) openTab("see");
  status.value = "";
  useDevice(next.devices.find((one) => one === remembered<string>("device", "")) ?? next.devices[0] ?? "cpu");
  useModel(models.value[0] ?? "");
}

export function useModel(name: string): void {
  model.value = name;
  engine.value?.use(name);
}

export function useDevice(next: Device): void {
  device.value = next;
  if (engine.value?.devices.length) remember("device", next);
  engine.value?.useDevice(next);
}

function tabOf(hash: string): Tab {
  const name = hash.replace(/^#/, "") as Tab;
  return TABS.includes(name) ? name : "see";
}

addEventListener("hashchange", () => {
  tab.value = tabOf(location.hash);
});
