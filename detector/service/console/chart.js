// One small chart: a bar a minute, a dashed line where the baseline is, a mark on every minute of a burst.

import { s } from "./dom.js";
import { clock, count, number, shortName } from "./words.js";

const WIDTH = 360;
const HEIGHT = 110;
const AREA = { left: 34, right: 6, top: 14, bottom: 20 };
const MARK = 5;

/** The chart of one principal. */
export function chart(one, { from, minutes }) {
  const width = WIDTH - AREA.left - AREA.right;
  const height = HEIGHT - AREA.top - AREA.bottom;
  const most = Math.max(...one.calls, one.baseline_60s ?? 0, 1);
  const step = width / minutes;
  const y = (value) => AREA.top + height * (1 - value / most);
  const x = (minute) => AREA.left + minute * step;
  const bursts = new Set(one.bursts);
  const bars = one.calls.flatMap((calls, minute) => (calls > 0 ? [bar(calls, minute)] : []));
  function bar(calls, minute) {
    const isBurst = bursts.has(minute);
    const top = y(calls);
    const size = { x: x(minute) + 0.5, y: top, width: Math.max(step - 1, 1), height: AREA.top + height - top };
    const middle = x(minute) + step / 2;
    const mark = `${middle - MARK},${top - 2 - MARK * 1.6} ${middle + MARK},${top - 2 - MARK * 1.6} ${middle},${top - 2}`;
    return [
      s("rect", { ...size, class: isBurst ? "bar burst" : "bar" }),
      isBurst ? s("polygon", { points: mark, class: "burst-mark" }) : null,
    ];
  }
  const start = new Date(from);
  const end = new Date(Date.parse(from) + minutes * 60_000);
  return s(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": words(one, minutes), focusable: "false" },
    s("path", { d: `M${AREA.left} ${AREA.top + height}H${WIDTH - AREA.right}`, class: "axis" }),
    s("path", { d: `M${AREA.left} ${AREA.top}H${WIDTH - AREA.right}`, class: "axis faint" }),
    bars,
    baseline(one.baseline_60s, y),
    s("text", { x: AREA.left - 4, y: AREA.top + 4, "text-anchor": "end" }, number(most)),
    s("text", { x: AREA.left - 4, y: AREA.top + height + 3, "text-anchor": "end" }, "0"),
    s("text", { x: AREA.left, y: HEIGHT - 5 }, clock(start, start).slice(0, 5)),
    s("text", { x: WIDTH - AREA.right, y: HEIGHT - 5, "text-anchor": "end" }, clock(end, end).slice(0, 5)),
  );
}

function baseline(value, y) {
  if (value === null) return null;
  return [
    s("path", { d: `M${AREA.left} ${y(value)}H${WIDTH - AREA.right}`, class: "baseline" }),
    s(
      "text",
      { x: WIDTH - AREA.right, y: Math.max(y(value) - 3, 9), "text-anchor": "end", class: "baseline-word" },
      "usual",
    ),
  ];
}

function words(one, minutes) {
  const usual = one.baseline_60s === null ? "no baseline yet" : `baseline ${number(one.baseline_60s)}`;
  const bursts = one.bursts.length ? `${count(one.bursts.length, "minute")} of a burst` : "no burst";
  return `${shortName(one.principal)}: ${count(one.total, "call")} in ${minutes} minutes, at most ${number(Math.max(...one.calls))} a minute; ${usual}; ${bursts}.`;
}
