// The view of activity: how often the busiest principals invoke models, minute by minute, beside what is usual.

import { chart } from "./chart.js";
import { h } from "./dom.js";
import { known } from "./model.js";
import { code, empty, heading, state, table, time } from "./pieces.js";
import { count, number, shortName } from "./words.js";

const MINUTE_MS = 60_000;

/** How many principals burst within the hour. */
export const bursting = () => (known.state?.activity?.principals ?? []).filter((one) => one.bursts.length > 0).length;

/** The view. */
export function activity() {
  const all = known.state?.activity;
  if (!all?.principals.length) {
    return [
      heading("Activity"),
      empty(
        "Nobody invoked a model within the hour.",
        h("p", {}, "Each principal that does gets a chart here. Watch some: ", code("bedrock-watch demo"), "."),
      ),
    ];
  }
  const { principals, principals_total: total } = all;
  const left = total - principals.length;
  return [
    heading(
      "Activity",
      h(
        "p",
        { class: "muted" },
        `Inference calls a minute, the ${number(all.minutes)} minutes up to `,
        time(end(all)),
        `. ${count(total, "principal")}, the busiest first${left > 0 ? `; ${number(left)} not shown` : ""}. ` +
          "Of several workers, each shows the accounts that it watches.",
      ),
    ),
    h(
      "div",
      { class: "charts" },
      principals.map((one) => figure(one, all)),
    ),
  ];
}

const end = (all) => new Date(Date.parse(all.from) + all.minutes * MINUTE_MS).toISOString();

function figure(one, all) {
  const peak = Math.max(...one.calls);
  const isBurst = one.bursts.length > 0;
  const usual =
    one.baseline_60s === null
      ? "usual busiest minute not known yet"
      : `usual busiest minute ${number(one.baseline_60s)}`;
  const key = `${one.account}-${one.principal}`;
  const alert = [...known.alerts.values()].find(
    (alert) => alert.rule === "invocation-burst" && alert.principal === one.principal && alert.account === one.account,
  );
  return h(
    "figure",
    { class: isBurst ? "chart burst" : "chart", key },
    h(
      "figcaption",
      {},
      h("h2", { title: one.principal }, code(shortName(one.principal))),
      h("p", { class: "muted" }, one.account),
      h(
        "p",
        {},
        isBurst ? state("broken", "burst") : state("good", "usual"),
        ` ${count(one.total, "call")}, at most ${number(peak)} a minute; ${usual}`,
      ),
      alert ? h("p", {}, h("a", { href: `#alert=${alert.id}` }, `${alert.status} alert: ${alert.rule}`)) : null,
    ),
    chart(one, all),
    h("details", { key: `numbers-${key}` }, h("summary", {}, "Numbers"), numbers(one, all)),
  );
}

function numbers(one, all) {
  const rows = one.calls.flatMap((calls, minute) =>
    calls > 0
      ? [
          [
            time(new Date(Date.parse(all.from) + minute * MINUTE_MS)),
            number(calls),
            one.bursts.includes(minute) ? "burst" : "usual",
          ],
        ]
      : [],
  );
  return table(`Calls of ${shortName(one.principal)} by minute`, ["Minute", "Calls", "Judged"], rows);
}
