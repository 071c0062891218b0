/** Derivatives of graphs. */
export { gradients } from "./grad.ts";
