// The story of one alert: what happened and who did it, what it rests on, what was done about it, what to do next.

import { h } from "./dom.js";
import { icon } from "./icons.js";
import { known } from "./model.js";
import { code, command, empty, severity, terms, time } from "./pieces.js";
import { count, number, plain } from "./words.js";

const EVENTS_SHOWN = 50;

/** The story; a guess is shown without having been asked for. */
export function story(id, isGuess) {
  const details = known.details.get(id);
  const alert = details?.alert ?? known.alerts.get(id);
  if (details === null && !alert) {
    return h(
      "article",
      { class: "story" },
      empty("There is no such alert.", h("p", {}, "It may be older than what is kept, or the link may be cut off.")),
    );
  }
  if (!alert) return h("article", { class: "story" }, h("p", { class: "muted" }, "Reading…"));
  return h(
    "article",
    { class: `story edge-${alert.severity} ${alert.status}`, "aria-labelledby": "story-title", key: `story-${id}` },
    head(alert, details, isGuess),
    section("What to do", remediation(alert)),
    section("Timeline", timeline(alert, details)),
    section("Who", who(alert)),
    section("Facts", facts(alert.facts)),
    section("Dig further", queries(alert.queries)),
    section(`Events: ${number(alert.event_count)}`, events(alert)),
  );
}

const section = (title, content) => (content ? h("section", { class: "part" }, h("h3", {}, title), content) : null);

function head(alert, details, isGuess) {
  const silenced = details?.silence ? h("span", { class: "status" }, "silenced") : null;
  return h(
    "header",
    {},
    h("p", { class: "first" }, severity(alert.severity), h("span", { class: "status" }, alert.status), silenced),
    h("h2", { id: "story-title", tabindex: "-1" }, alert.title),
    h("p", { class: "summary" }, alert.summary),
    alert.facts?.learning
      ? h(
          "p",
          { class: "note" },
          "This account is known for less than 7 days: what is normal there is still being learned.",
        )
      : null,
    alert.facts?.explained_by
      ? h("p", { class: "note" }, "A job of Bedrock itself explains it: see who started that job.")
      : null,
    terms([
      ["Account", alert.account],
      ["Region", alert.region ?? "several"],
      [subjectKind(alert.subject?.kind), alert.subject ? code(alert.subject.id) : null],
      ["Rule", code(alert.rule)],
      ["Runbook", runbook(alert)],
      ["ATT&CK", alert.attack?.length ? alert.attack.map(technique) : null],
      [
        "Incident",
        alert.incident
          ? h("a", { href: `#incident=${alert.incident.id ?? alert.incident}` }, "the incident it is part of")
          : null,
      ],
    ]),
    h(
      "div",
      { class: "actions" },
      actions(alert),
      isGuess ? h("a", { class: "button quiet", href: `#alert=${alert.id}` }, "Link to this alert") : null,
    ),
  );
}

function actions(alert) {
  const button = (what, word) => h("button", { type: "button", "data-do": what, "data-id": alert.id }, word);
  return [button("silence", "Silence…"), alert.status === "firing" ? button("resolve", "Resolve…") : null];
}

const SUBJECTS = {
  customization_job_dependency: "Lost dependency",
  dependency: "Dependency",
  invocation_logging: "Logging change",
  principal: "Principal",
  event: "Event",
};
const subjectKind = (kind) => SUBJECTS[kind] ?? "Subject";

function runbook(alert) {
  if (/^https?:\/\//.test(alert.runbook ?? "")) {
    return h("a", { href: alert.runbook, rel: "noopener noreferrer" }, "open the runbook");
  }
  return alert.runbook ? [code(alert.runbook), h("br"), code(`bedrock-watch rules show ${alert.rule}`)] : null;
}

function technique(id) {
  const known = /^T\d{4}(\.\d{3})?$/.test(id);
  const address = known ? `https://attack.mitre.org/techniques/${id.replace(".", "/")}/` : null;
  return [address ? h("a", { href: address, rel: "noopener noreferrer" }, id) : id, " "];
}

function remediation(alert) {
  if (!alert.remediation?.length) return null;
  return alert.remediation.map((step) =>
    h("div", { class: "step" }, h("h4", {}, step.title), command(step.command, step.title)),
  );
}

function queries(all) {
  const titles = Map.groupBy ? Map.groupBy(all ?? [], (query) => query.title) : grouped(all ?? []);
  if (!titles.size) return null;
  return [...titles].map(([title, some]) =>
    h(
      "details",
      { key: `query-${title}` },
      h("summary", {}, title),
      some.map((query) => [h("h4", {}, plain(query.language)), command(query.text, `${title}, ${query.language}`)]),
    ),
  );
}

function grouped(all) {
  const titles = new Map();
  for (const query of all) titles.set(query.title, [...(titles.get(query.title) ?? []), query]);
  return titles;
}

function who(alert) {
  const actor = alert.actor ?? {};
  return terms([
    ["Principal", alert.principal ? code(alert.principal) : null],
    ["As", actor.arn && actor.arn !== alert.principal ? code(actor.arn) : null],
    ["Kind", actor.type],
    ["Session", actor.session_name ? code(actor.session_name) : null],
    ["Access key", actor.access_key_id ? code(actor.access_key_id) : null],
    ["From", actor.source_ip ? code(actor.source_ip) : null],
    ["Client", actor.user_agent ? code(actor.user_agent) : null],
    ["Workload", actor.workload ? code(actor.workload) : null],
    ["Via", actor.via ? plain(actor.via) : null],
  ]);
}

/** Names and what they stand for, whatever they hold. */
export function facts(some) {
  const pairs = Object.entries(some ?? {}).filter(([name]) => name !== "learning");
  return pairs.length ? terms(pairs.map(([name, value]) => [plain(name), fact(value)])) : null;
}

function fact(value) {
  if (value === null) return h("span", { class: "muted" }, "not known");
  if (typeof value === "number") return number(value);
  if (typeof value !== "object") return String(value);
  if (!Array.isArray(value)) return facts(value) ?? "none";
  if (!value.length) return "none";
  return h(
    "ul",
    { class: "plain" },
    value.map((one) => h("li", {}, fact(one))),
  );
}

function timeline(alert, details) {
  const steps = [step("event", alert.first_event_time, "First event", alert.principal ?? alert.actor?.arn)];
  for (const revision of details?.history ?? []) steps.push(ofRevision(revision));
  for (const letter of details?.dead_letters ?? []) {
    steps.push(
      step(
        "broken",
        letter.at,
        `${letter.sink} could not be told`,
        `after ${count(letter.attempts, "attempt")}: ${letter.error}`,
      ),
    );
  }
  if (alert.last_event_time !== alert.first_event_time)
    steps.push(step("event", alert.last_event_time, "Latest event", null));
  return h("ol", { class: "timeline" }, steps);
}

function ofRevision(revision) {
  const by = revision.resolution;
  const word = by
    ? `Resolved by ${by.author}`
    : `${plain(revision.kind).replace(/^./, (first) => first.toUpperCase())}, ${revision.severity}`;
  const kind = revision.status === "firing" ? revision.severity : "good";
  return step(kind, revision.at, word, by ? by.reason : `${count(revision.event_count, "event")}. ${revision.summary}`);
}

function step(kind, at, word, more) {
  const shape = kind === "event" ? "unknown" : kind;
  return h(
    "li",
    { class: `is-${kind}` },
    icon(shape),
    time(at),
    h("span", { class: "word" }, word),
    more ? h("span", { class: "more" }, more) : null,
  );
}

function events(alert) {
  const ids = (alert.event_ids ?? []).slice(0, EVENTS_SHOWN);
  if (!ids.length) return null;
  const title =
    ids.length < alert.event_count
      ? `The ${ids.length} earliest CloudTrail event ids`
      : count(ids.length, "CloudTrail event id");
  return h("details", { key: "events" }, h("summary", {}, title), command(ids.join("\n"), "event ids"));
}
