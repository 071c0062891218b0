/** The built script of a fresh process. In a file of its own, so that tests can replace it: Node runs no TypeScript. */
export const FRESH_SPEED = new URL("./fresh-speed.js", import.meta.url);
