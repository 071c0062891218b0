/** The scorecard of twins: arms as committed JSON in, Markdown and HTML out. */
export { readArms } from "./arms.ts";
export { readDiscussions } from "./discussions.ts";
export { paperHtml } from "./html.ts";
export { paperMarkdown } from "./markdown.ts";
export { sceneArm } from "./scene-arms.ts";
export { paperView } from "./view.ts";
export { summary } from "./words.ts";
