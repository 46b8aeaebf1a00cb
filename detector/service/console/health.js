// The view of health: whether the detector protects, and if not, which of its links does not work and what that means.

import { h } from "./dom.js";
import { known } from "./model.js";
import { code, empty, heading, state, table, terms, time } from "./pieces.js";
import { count, duration, number, plain } from "./words.js";

// What each reason means for whoever is protected; the service's own words stand beside it.
const MEANINGS = [
  [/^store/, "Alerts and positions cannot be written. Nothing is accepted until that works again; senders try again."],
  [/^catching up/, "Records from before the start are being read. Alerts come, but late."],
  [/^start/, "The service is still starting."],
  [/^sink/, "This channel does not take alerts. They wait in the store and are told when it works again."],
  [/^snapshot/, "What is remembered cannot be written down. A restart would have to read more records."],
  [/^inventory/, "AWS was not asked completely. What stood before the stream began may be unknown."],
  [/^(canary|coverage)/, "Events of our own do not come back: real ones may not come either."],
  [/^lease/, "It is not certain which shards are this worker's."],
  [/^source|kinesis|sqs|s3|shard|file/, "Events from this source may be missing."],
];

/** What does not work. */
export const problems = () => Object.entries(known.state?.reasons ?? {});

/** What a reason means. */
export const meaning = (name) =>
  MEANINGS.find(([pattern]) => pattern.test(name))?.[1] ?? "Something it needs does not work.";

/** The view. */
export function health() {
  const all = known.state;
  if (!all) return [heading("Health"), empty(known.trouble ? known.trouble.message : "Reading…")];
  const reasons = problems();
  return [
    heading("Health", h("p", { class: "muted" }, `bedrock-watch ${all.version}, at `, time(all.now))),
    reasons.length
      ? h(
          "ul",
          { class: "reasons" },
          reasons.map(([name, reason]) =>
            h(
              "li",
              { key: name },
              h("h2", {}, state("broken", name)),
              h("p", {}, meaning(name)),
              h("p", { class: "muted" }, code(reason)),
            ),
          ),
        )
      : h("p", { class: "all-good" }, state("good", "Protecting: everything works.")),
    h("h2", {}, "Links"),
    table("Every link of the chain", ["Link", "Kind", "State", "Detail", "Lag"], (all.links ?? []).map(link)),
    h("h2", {}, "Accounts"),
    all.accounts?.length
      ? table("Accounts", ["Account", "Newest judged event", "Behind", "Principals"], all.accounts.map(account))
      : h("p", { class: "muted" }, "No event of any account yet."),
    h("h2", {}, "Counters since the start"),
    terms(
      [
        ...Object.entries(all.engine ?? {}),
        ...["batches", "bytes", "unreadable", "put_aside_future"].map((name) => [name, all[name]]),
      ]
        .filter(([, value]) => value > 0)
        .map(([name, value]) => [plain(name), number(value)]),
    ),
  ];
}

const STATES = { works: ["good", "works"], waits: ["unknown", "waits"], fails: ["broken", "does not work"] };

function link(one) {
  const [kind, word] = STATES[one.state] ?? ["unknown", plain(one.state)];
  return [code(one.name), plain(one.kind), state(kind, word), one.detail ?? "", lag(one.lag_s)];
}

const lag = (seconds) =>
  seconds === null || seconds === undefined ? h("span", { class: "muted" }, "not measured") : duration(seconds);

function account(one) {
  const behind = (Date.parse(known.state.now) - Date.parse(one.newest_event_time)) / 1000;
  return [one.account, time(one.newest_event_time), duration(Math.max(behind, 0)), count(one.principals, "principal")];
}
