// The view of dependencies: jobs and all else that stands on other resources, as a picture and as tables.

import { h } from "./dom.js";
import { byUrgency, known } from "./model.js";
import { hits, picture, picked } from "./picture.js";
import { code, empty, heading, state, table, time } from "./pieces.js";
import { count, plain, shortName } from "./words.js";

/** How many dependencies of something that lives are broken. */
export const broken = () => (known.state?.dependencies ?? []).filter((one) => one.state === "broken").length;

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
  return `${count(live, "dependent")} live, on ${count(resources.length, "resource")}; ${lost ? `${lost} broken` : "none broken"}`;
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
        h("li", {}, resource.state === "broken" ? state("broken", "broken") : null, " ", code(resource.id)),
      ),
    ),
  ];
}

const sorted = (resources) =>
  [...resources].sort(
    (one, other) =>
      (one.state === "broken" ? 0 : 1) - (other.state === "broken" ? 0 : 1) || (one.key < other.key ? -1 : 1),
  );

function resourceRow(one) {
  return [
    code(one.id),
    plain(one.kind),
    state(one.state === "broken" ? "broken" : "good", one.state === "broken" ? "broken" : "no loss known"),
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
