// Small parts that several views are made of.

import { h, lines } from "./dom.js";
import { icon } from "./icons.js";
import { ago, clock, iso } from "./words.js";
import { now } from "./model.js";

/** A moment, and on demand how long ago it was. */
export function time(at, { relative = false } = {}) {
  const machine = iso(at);
  if (!machine) return h("span", { class: "muted" }, "unknown");
  const shown = relative ? ago(machine, now()) : clock(machine, now());
  return h(
    "time",
    { datetime: machine, title: relative ? `${clock(machine, "")} UTC` : `${ago(machine, now())}, UTC` },
    shown,
  );
}

/** Severity as shape and word. */
export const severity = (name) => h("span", { class: `severity is-${name}` }, icon(name), " ", name);

/** A state as shape and word: `good`, `broken` or `unknown` with what it is called here. */
export const state = (kind, word) => h("span", { class: `state is-${kind}` }, icon(kind), " ", word);

/** A name that may be long and is often copied. */
export const code = (text) => h("code", { class: "name" }, text);

/** Terms and what they are; those without a value are left out. */
export function terms(pairs) {
  const given = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return h(
    "dl",
    { class: "terms" },
    given.map(([term, value]) => h("div", {}, h("dt", {}, term), h("dd", {}, value))),
  );
}

/** Something to run, with a button that copies it. `what` names it for those who do not see it. */
export function command(text, what) {
  return h(
    "div",
    { class: "command" },
    h("button", { type: "button", class: "small", "data-do": "copy", "aria-label": `Copy: ${what}` }, "Copy"),
    lines("pre", { tabindex: "0", role: "region", "aria-label": what }, text),
  );
}

/** A table; `rows` are lists of cells, the first of which names the row. */
export function table(caption, columns, rows, attributes = {}) {
  const cells = ([first, ...others]) => [h("th", { scope: "row" }, first), others.map((cell) => h("td", {}, cell))];
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    h(
      "table",
      attributes,
      h("caption", { class: "unseen" }, caption),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          columns.map((column) => h("th", { scope: "col" }, column)),
        ),
      ),
      h(
        "tbody",
        {},
        rows.map((row) => h("tr", {}, cells(row))),
      ),
    ),
  );
}

/** What to do where there is nothing yet. */
export const empty = (title, ...more) => h("div", { class: "empty" }, h("p", { class: "lead" }, title), more);

/** The heading of a view; it takes the focus when the view is gone to. */
export const heading = (text, ...beside) =>
  h("div", { class: "heading" }, h("h1", { id: "heading", tabindex: "-1" }, text), beside);
