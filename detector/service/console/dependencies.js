// The view of dependencies: jobs and all else that stands on other resources, as a picture and as tables.

import { h } from "./dom.js";
import { byUrgency, known } from "./model.js";
import { hits, picture, picked } from "./picture.js";
import { code, empty, heading, state, table, time } from "./pieces.js";
import { count, plain, shortName } from "./words.js";

const RANK = { broken: 0, exposed: 1, whole: 2 };
const SHOWN = { broken: ["broken", "broken"], exposed: ["high", "exposed"], whole: ["good", "no loss known"] };

/** How many of those that live have lost something they need. */
export const broken = () => (known.state?.dependents?.list ?? []).filter((one) => one.live && one.broken).length;

/** The view. */
export function dependencies() {
  const { dependents, dependencies: resources } = known.state ?? {};
  if (!dependents?.list.length) {
    return [
      heading("Dependencies"),
      empty(
        "No job is known.",
        h(
          "p",
          {},
          "Customization jobs and what they stand on (security groups, subnets, keys, roles, buckets) appear here when CloudTrail tells of them, or when AWS is asked: ",
          code("[inventory]"),
          " in the configuration.",
        ),
      ),
    ];
  }
  const shown = picked(dependents.list, resources);
  const left = dependents.total - dependents.list.length;
  return [
    heading("Dependencies", h("p", { class: "muted" }, summary(dependents, resources))),
    h(
      "figure",
      { class: "picture" },
      h(
        "div",
        { class: "scroll", tabindex: "0", role: "region", "aria-label": "Picture of what stands on what" },
        picture(shown),
      ),
      h("figcaption", { class: "muted" }, caption(shown, dependents)),
    ),
    h("h2", {}, "What stands on what"),
    table(
      "What stands on what",
      ["Name", "Kind", "Status", "Where", "Started", "Stands on"],
      dependents.list.map((one) => row(one, resources)),
    ),
    left > 0 ? h("p", { class: "muted" }, `${count(left, "more")} not listed.`) : null,
    h("h2", {}, "What they stand on"),
    table(
      "What they stand on",
      ["Resource", "Kind", "State", "What happened", "Alert"],
      sorted(resources).map(resourceRow),
    ),
  ];
}

function summary(dependents, resources) {
  const live = dependents.list.filter((one) => one.live).length;
  const lost = broken();
  return `${count(live, "dependent")} live, on ${count(resources.length, "resource")}; ${lost ? `${lost} of them in trouble` : "none in trouble"}`;
}

function caption(shown, dependents) {
  const parts = ["Left: what depends. Right: what it stands on. Broken ones are crossed out and dashed."];
  const more = dependents.total - shown.dependents.length;
  if (more > 0) parts.push(`${count(more, "other")}, ended or without trouble, not drawn.`);
  return parts.join(" ");
}

function row(one, resources) {
  const stands = one.stands_on.map((key) => resources.find((resource) => resource.key === key)).filter(Boolean);
  const lost = hits(one, stands);
  return [
    h("span", { title: one.id }, code(one.name ?? shortName(one.id))),
    plain(one.kind),
    one.live ? state(lost.length ? "broken" : "good", `${one.status}${lost.length ? ", broken" : ""}`) : one.status,
    `${one.account} ${one.region}`,
    time(one.started),
    h(
      "ul",
      { class: "plain" },
      stands.map((resource) =>
        h("li", {}, resource.state === "whole" ? null : state(...SHOWN[resource.state]), " ", code(resource.id)),
      ),
    ),
  ];
}

const sorted = (resources) =>
  [...resources].sort((one, other) => RANK[one.state] - RANK[other.state] || (one.key < other.key ? -1 : 1));

function resourceRow(one) {
  return [
    code(one.id),
    plain(one.kind),
    state(...SHOWN[one.state]),
    one.losses.length
      ? h(
          "ul",
          { class: "plain" },
          one.losses.map((loss) =>
            h("li", {}, `${plain(loss.what)} `, time(loss.at), loss.by ? [" by ", code(shortName(loss.by))] : null),
          ),
        )
      : h("span", { class: "muted" }, "nothing"),
    alertOf(one),
  ];
}

function alertOf(resource) {
  const about = byUrgency(known.alerts.values()).find((alert) => alert.subject?.id === resource.id);
  return about
    ? h("a", { href: `#alert=${about.id}` }, `${about.severity}: ${about.rule}`)
    : h("span", { class: "muted" }, "none");
}
