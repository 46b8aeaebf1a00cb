// Silences: which there are, and whether one keeps sinks from hearing of an alert.

import { h } from "./dom.js";
import { known, may } from "./model.js";
import { time } from "./pieces.js";
import { SEVERITIES } from "./words.js";

const EXACT = ["account", "region"];
const PATTERNS = ["rule", "principal", "subject"];

/** Whether a silence covers the alert, as the service decides it: everything that is named must fit. */
export function isSilenced(alert) {
  return known.silences.some((one) => covers(one, { ...alert, subject: alert.subject?.id }));
}

function covers(one, alert) {
  const fits = (pattern, text) => (pattern.split("*").length > 1 ? glob(pattern).test(text ?? "") : pattern === text);
  return (
    Date.parse(one.starts_at) <= Date.now() &&
    (one.alert == null || one.alert === alert.id) &&
    EXACT.every((name) => one[name] == null || one[name] === alert[name]) &&
    PATTERNS.every((name) => one[name] == null || fits(one[name], alert[name])) &&
    (one.severity_max == null || SEVERITIES.indexOf(alert.severity) >= SEVERITIES.indexOf(one.severity_max))
  );
}

const glob = (pattern) =>
  new RegExp(
    `^${pattern
      .split("*")
      .map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, "\\$&"))
      .join("[^]*")}$`,
  );

/** The list of them, or nothing. */
export function silences() {
  if (!known.silences.length) return null;
  return h(
    "section",
    { class: "silences", "aria-label": "Silences", key: "silences" },
    h("h2", { class: "second" }, `Silences: ${known.silences.length}`),
    h("ul", { class: "items" }, known.silences.map(silence)),
  );
}

function silence(one) {
  const matched = ["alert", "rule", "account", "region", "principal", "subject", "severity_max"]
    .filter((name) => one[name] !== null && one[name] !== undefined)
    .map((name) => `${name === "severity_max" ? "at most" : name} ${one[name]}`);
  return h(
    "li",
    { key: one.id, class: "item silence" },
    h("p", { class: "title" }, matched.join(", ")),
    h("p", { class: "muted" }, `${one.reason} (${one.author}), until `, time(one.ends_at)),
    may("write")
      ? h(
          "button",
          {
            type: "button",
            class: "small",
            "data-do": "end-silence",
            "data-id": one.id,
            "aria-label": `End the silence of ${matched.join(", ")}`,
          },
          "End now…",
        )
      : null,
  );
}
