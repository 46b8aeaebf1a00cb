// The view of alerts: what fires now, the most urgent first, and beside it the story of the one that was chosen.

import { h } from "./dom.js";
import { byUrgency, known } from "./model.js";
import { empty, heading, severity, time } from "./pieces.js";
import { isSilenced, silences } from "./silences.js";
import { story } from "./story.js";
import { count, shortName } from "./words.js";

const OVER_SHOWN = 30;
// With fewer than the model asks for, all are listed.
const LISTED_MIN = 200;

let guessed = null;

/** The alert whose story is shown while none is chosen: the most urgent when it was looked first. It stays while it
 * fires, so that nothing is exchanged under the eyes of who reads it. */
export function guess() {
  const first = byUrgency(known.alerts.values())[0];
  if (known.alerts.get(guessed)?.status !== "firing") guessed = first?.id ?? null;
  return guessed;
}

/** Guesses anew. */
export function guessAgain() {
  guessed = null;
}

/** The view; `chosen` is the id of an alert, or null. */
export function alerts(chosen) {
  const sorted = byUrgency(known.alerts.values());
  const firing = sorted.filter((alert) => alert.status === "firing");
  const over = sorted.filter((alert) => alert.status !== "firing").slice(0, OVER_SHOWN);
  const shown = chosen ?? guess();
  const list = h(
    "section",
    { class: "list", "aria-label": "List of alerts", key: "list" },
    h("h2", {}, firing.length ? `Firing now: ${firing.length}` : "Nothing fires now"),
    firing.length ? items(firing, shown) : null,
    unlisted(firing),
    over.length ? h("h2", { class: "second" }, "Over") : null,
    over.length ? items(over, shown) : null,
    silences(),
  );
  if (!known.loaded)
    return [heading("Alerts"), h("p", { class: "muted" }, known.trouble ? known.trouble.message : "Reading…")];
  if (!sorted.length) return [heading("Alerts"), nothingYet(), silences()];
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
        h("span", { class: "status" }, isSilenced(alert) ? `${alert.status}, silenced` : alert.status),
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

/** The service may know of more than a page should list. */
function unlisted(firing) {
  const all = Object.values(known.state?.firing ?? {}).reduce((sum, one) => sum + one, 0);
  if (all <= firing.length || firing.length < LISTED_MIN) return null;
  return h(
    "p",
    { class: "muted" },
    `${count(all - firing.length, "more")} of lesser severity: `,
    h("code", {}, "bedrock-watch alerts list"),
  );
}
