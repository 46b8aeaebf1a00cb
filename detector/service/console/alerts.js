// The view of alerts: what fires now, the most urgent first, and beside it the story of the one that was chosen.

import { h } from "./dom.js";
import { byUrgency, known, may } from "./model.js";
import { empty, heading, severity, time } from "./pieces.js";
import { story } from "./story.js";
import { count, shortName } from "./words.js";

const OVER_SHOWN = 30;

/** The view; `chosen` is the id of an alert, or null. */
export function alerts(chosen) {
  const sorted = byUrgency(known.alerts.values());
  const firing = sorted.filter((alert) => alert.status === "firing");
  const over = sorted.filter((alert) => alert.status !== "firing").slice(0, OVER_SHOWN);
  const shown = chosen ?? sorted[0]?.id;
  const list = h(
    "section",
    { class: "list", "aria-label": "List of alerts", key: "list" },
    h("h2", {}, firing.length ? `Firing now: ${firing.length}` : "Nothing fires now"),
    firing.length ? items(firing, shown) : null,
    over.length ? h("h2", { class: "second" }, "Over") : null,
    over.length ? items(over, shown) : null,
    known.silences.length ? silences() : null,
  );
  if (!known.loaded)
    return [heading("Alerts"), h("p", { class: "muted" }, known.trouble ? known.trouble.message : "Reading…")];
  if (!sorted.length) return [heading("Alerts"), nothingYet(), known.silences.length ? silences() : null];
  return [
    heading("Alerts", h("p", { class: "muted" }, `${count(firing.length, "alert")} firing, the most urgent first`)),
    chosen ? h("p", { class: "back" }, h("a", { href: "#alerts" }, "All alerts")) : null,
    h("div", { class: chosen ? "split has-story" : "split" }, list, story(shown, chosen === null)),
  ];
}

function items(some, chosen) {
  return h(
    "ul",
    { class: "items" },
    some.map((alert) => item(alert, alert.id === chosen)),
  );
}

function item(alert, isChosen) {
  const place = [alert.account, alert.region ?? "several regions"].join(" ");
  return h(
    "li",
    { key: alert.id, class: `item edge-${alert.severity} ${alert.status}` },
    h(
      "a",
      { href: `#alert=${alert.id}`, "aria-current": isChosen ? "true" : null },
      h(
        "span",
        { class: "first" },
        severity(alert.severity),
        h("span", { class: "status" }, alert.status),
        time(alert.last_event_time, { relative: true }),
      ),
      h("span", { class: "title" }, alert.title),
      h("span", { class: "muted what" }, `${shortName(alert.subject?.id)} · ${place}`),
    ),
  );
}

function nothingYet() {
  const records = known.state?.engine?.records ?? 0;
  if (records > 0) {
    return empty(
      "Nothing has fired.",
      h("p", {}, `${count(records, "record")} came in and raised no alert. Alerts appear here by themselves.`),
    );
  }
  return empty(
    "No events yet.",
    h("p", {}, "Post some, and alerts appear here by themselves:"),
    h("pre", {}, "curl --data-binary @events.jsonl http://127.0.0.1:8787/v1/events"),
    h(
      "p",
      {},
      "Or watch an invented attack: ",
      h("code", {}, "bedrock-watch demo"),
      ". Should AWS send events already? ",
      h("code", {}, "bedrock-watch doctor"),
      " finds the link that is missing.",
    ),
  );
}

function silences() {
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
