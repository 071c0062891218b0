/** The built script of a fresh process. In a file of its own, as tests put another in its place: Node runs no TypeScript. */
export const FRESH_SPEED = new URL("./fresh-speed.js", import.meta.url);
