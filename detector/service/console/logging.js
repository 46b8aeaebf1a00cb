// The view of logging: whether model invocations are logged, for each account and region.

import { h } from "./dom.js";
import { byUrgency, known } from "./model.js";
import { code, empty, heading, state, table, time } from "./pieces.js";
import { count, plain } from "./words.js";

const ORDER = { off: 0, lost: 1, unknown: 2, on: 3 };
const SHOWN = {
  on: ["good", "on"],
  off: ["broken", "off"],
  lost: ["broken", "on, but no destination works"],
  unknown: ["unknown", "not known"],
};

/** In how many places invocations are known not to be logged. */
export const blind = () =>
  (known.state?.logging ?? []).filter((place) => ["off", "lost"].includes(place.posture)).length;

/** The view. */
export function logging() {
  const places = [...(known.state?.logging ?? [])].sort(
    (one, other) => ORDER[one.posture] - ORDER[other.posture] || (key(one) < key(other) ? -1 : 1),
  );
  if (!places.length) {
    return [
      heading("Logging"),
      empty(
        "Nothing is known of model invocation logging.",
        h(
          "p",
          {},
          "Each account and region appears here once its configuration was changed, or when AWS is asked: ",
          code("[inventory]"),
          " in the configuration.",
        ),
      ),
    ];
  }
  const dark = blind();
  return [
    heading(
      "Logging",
      h(
        "p",
        { class: "muted" },
        `Model invocation logging in ${count(places.length, "place")}; ${dark ? `off in ${dark}` : "off in none that is known"}`,
      ),
    ),
    table(
      "Model invocation logging",
      ["Account", "Region", "Logging", "Since", "Delivers", "To", "Alert"],
      places.map(row),
    ),
  ];
}

const key = (place) => `${place.account} ${place.region}`;

function row(place) {
  const [kind, word] = SHOWN[place.posture] ?? SHOWN.unknown;
  return [
    place.account,
    place.region,
    state(kind, word),
    place.since ? time(place.since) : h("span", { class: "muted" }, "not known"),
    place.delivers?.join(", ") || h("span", { class: "muted" }, place.posture === "off" ? "nothing" : "not known"),
    place.destinations?.length
      ? h(
          "ul",
          { class: "plain" },
          place.destinations.map((to) => h("li", {}, `${plain(to.kind)} `, code(to.name))),
        )
      : "",
    alertOf(place),
  ];
}

function alertOf(place) {
  const is = (alert) =>
    alert.subject?.kind === "invocation_logging" && alert.account === place.account && alert.region === place.region;
  const about = byUrgency(known.alerts.values()).find(is);
  return about
    ? h("a", { href: `#alert=${about.id}` }, `${about.status}: ${about.rule}`)
    : h("span", { class: "muted" }, "none");
}
