// Shapes that go with words: a status is never told by colour alone. Each is decoration for those who see; the word
// beside it is what is read out.

import { s } from "./dom.js";

const SHAPES = {
  critical: ["path", { d: "M5 1h6l4 4v6l-4 4H5l-4-4V5z" }],
  high: ["path", { d: "M8 1.5 15.5 14.5H.5z" }],
  medium: ["path", { d: "M8 1l7 7-7 7-7-7z" }],
  low: ["path", { d: "M2.5 2.5h11v11h-11z" }],
  informational: ["circle", { cx: 8, cy: 8, r: 6 }],
  good: ["path", { d: "M2.5 8.5 6.5 12.5 13.5 4" }],
  broken: ["path", { d: "M3 3l10 10M13 3L3 13" }],
  unknown: ["path", { d: "M3 8h10" }],
  live: ["circle", { cx: 8, cy: 8, r: 5 }],
  stale: ["path", { d: "M8 2a6 6 0 1 0 6 6M8 4.5V8l2.5 2" }],
  locked: ["path", { d: "M3.5 7.5h9v6h-9zM5.5 7.5V5a2.5 2.5 0 0 1 5 0v2.5" }],
  open: ["path", { d: "M3.5 7.5h9v6h-9zM5.5 7.5V5a2.5 2.5 0 0 1 4.8-1" }],
};
const DRAWN = new Set(["good", "broken", "unknown", "stale", "locked", "open"]);

/** The shape of a severity or a state. */
export function icon(name) {
  const [tag, attributes] = SHAPES[name] ?? SHAPES.unknown;
  const style = DRAWN.has(name) ? "drawn" : "filled";
  const classes = `icon ${style} is-${SHAPES[name] ? name : "unknown"}`;
  return s(
    "svg",
    { class: classes, viewBox: "0 0 16 16", "aria-hidden": "true", focusable: "false" },
    s(tag, attributes),
  );
}
