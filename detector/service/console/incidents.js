// The view of incidents: alerts that belong together, with the stages an attack reached and what happened when.

import { h } from "./dom.js";
import { known } from "./model.js";
import { code, empty, heading, severity, table, terms, time } from "./pieces.js";
import { facts } from "./story.js";
import { count, number, plain, shortName } from "./words.js";

const STAGES = ["reconnaissance", "access", "blinding", "use", "impact"];

/** The view; `chosen` is the id of an incident, or null. */
export function incidents(chosen) {
  return chosen ? one(chosen) : all();
}

function all() {
  const some = known.incidents;
  if (!some.length) {
    return [
      heading("Incidents"),
      empty(
        "No incidents.",
        h(
          "p",
          {},
          "Alerts that share a principal, an access key or an address become one incident, shown here as one story.",
        ),
      ),
    ];
  }
  const rows = some.map((incident) => [
    h("a", { href: `#incident=${incident.id}` }, incident.title),
    severity(incident.severity),
    h("span", { class: "status" }, incident.status),
    number(incident.score),
    stages(incident.stages),
    count(alertsOf(incident), "alert"),
    time(incident.first_event_time),
    time(incident.last_event_time),
  ]);
  const columns = ["Incident", "Severity", "Status", "Score", "Stages", "Alerts", "From", "To"];
  return [
    heading("Incidents", h("p", { class: "muted" }, "Alerts that belong together, the newest first")),
    table("Incidents", columns, rows),
  ];
}

const alertsOf = (incident) => (Array.isArray(incident.alerts) ? incident.alerts.length : incident.alerts);

function stages(reached) {
  return h(
    "ol",
    { class: "stages", "aria-label": "Stages reached" },
    STAGES.map((stage) => {
      const isReached = reached?.includes(stage);
      return h(
        "li",
        { class: isReached ? "reached" : "" },
        stage,
        isReached ? null : h("span", { class: "unseen" }, " not reached"),
      );
    }),
  );
}

function one(id) {
  const answer = known.incident.get(id);
  if (answer === undefined) return [heading("Incident"), h("p", { class: "muted" }, "Reading…")];
  if (answer === null) return [heading("Incident"), empty("There is no such incident.")];
  const incident = answer.incident ?? answer;
  const steps = answer.timeline ?? [];
  const parts = incident.score_parts;
  return [
    heading(incident.title),
    h("p", { class: "first" }, severity(incident.severity), h("span", { class: "status" }, incident.status)),
    answer.merged_into
      ? h(
          "p",
          { class: "note" },
          "The incident that was asked for has become part of ",
          h("a", { href: `#incident=${answer.merged_into}` }, "this one"),
          ".",
        )
      : null,
    incident.is_cut ? h("p", { class: "note" }, "It has more alerts than are looked at; some are missing here.") : null,
    h(
      "div",
      { class: "panel" },
      stages(incident.stages),
      terms([
        [
          "Score",
          parts
            ? `${incident.score} of 100: severity ${parts.severity}, stages ${parts.stages}, breadth ${parts.breadth}`
            : String(incident.score),
        ],
        ["Accounts", incident.accounts?.join(", ")],
        ["Regions", incident.regions?.join(", ")],
        [
          "Principals",
          incident.principals?.length
            ? h(
                "ul",
                { class: "plain" },
                incident.principals.map((principal) => h("li", {}, code(principal))),
              )
            : null,
        ],
        ["From", time(incident.first_event_time)],
        ["To", time(incident.last_event_time)],
      ]),
    ),
    h("h2", {}, `What happened: ${count(steps.length, "alert")}`),
    h("ol", { class: "timeline wide" }, steps.map(step)),
    answer.report ? report(answer.report, incident.id) : null,
  ];
}

/** All that a support case asks for; what stands above already is left out. */
function report(about, id) {
  const { timeline, title, ...rest } = about;
  return h(
    "details",
    { key: "report", class: "panel" },
    h("summary", {}, "Report for a support case"),
    h("p", { class: "muted" }, "As a text to send: ", code(`bedrock-watch incident show ${id} --format markdown`)),
    facts(rest),
  );
}

function step(one) {
  return h(
    "li",
    { key: one.alert, class: `is-${one.severity}` },
    severity(one.severity),
    time(one.at),
    h(
      "span",
      { class: "word" },
      h("span", { class: "status" }, plain(one.stage)),
      " ",
      h("a", { href: `#alert=${one.alert}` }, one.rule),
      ` · ${shortName(one.principal ?? "")} · ${one.account} ${one.region ?? ""}`,
    ),
    h("span", { class: "more" }, one.summary),
  );
}
