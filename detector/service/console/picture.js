// Draws what stands on what: two columns of boxes and lines between them. The tables beside it say the same in words.

import { s } from "./dom.js";
import { count, middle, plain, shortName } from "./words.js";

const DEPENDENTS_MAX = 16;
const WIDTH = 920;
const BOX = { width: 330, height: 44, gap: 10 };
const TOP = 26;
const CHARACTERS = 38;

/** What is worth drawing: what lives and has lost something first, then what lives. */
export function picked(dependents, resources) {
  const rank = (one) => (hits(one, resources).length ? 0 : 1);
  const live = dependents
    .filter((one) => one.live || rank(one) === 0)
    .sort((one, other) => rank(one) - rank(other) || (one.id < other.id ? -1 : 1));
  const drawn = live.slice(0, DEPENDENTS_MAX);
  const used = new Set(drawn.flatMap((one) => one.stands_on));
  return {
    dependents: drawn,
    resources: inOrder(
      resources.filter((one) => used.has(one.key)),
      drawn,
    ),
  };
}

/** What it stood on that was lost while it lived. What ended before a loss was not hit by it. */
export function hits(one, resources) {
  const isHit = (resource) => resource.losses.some((loss) => one.live || (one.ended && one.ended >= loss.at));
  return resources.filter(
    (resource) => resource.state === "broken" && one.stands_on.includes(resource.key) && isHit(resource),
  );
}

/** Each resource near the middle of those that stand on it, so that few lines cross. */
function inOrder(resources, dependents) {
  const weight = (resource) => {
    const places = dependents.flatMap((one, place) => (one.stands_on.includes(resource.key) ? [place] : []));
    return places.reduce((sum, place) => sum + place, 0) / Math.max(places.length, 1);
  };
  const weighed = resources.map((resource) => [weight(resource), resource]);
  return weighed
    .sort(([one, a], [other, b]) => one - other || (a.key < b.key ? -1 : 1))
    .map(([, resource]) => resource);
}

/** The picture. */
export function picture({ dependents, resources }) {
  const hitOf = new Map(dependents.map((one) => [one, new Set(hits(one, resources).map((resource) => resource.key))]));
  const lost = resources.filter((one) => one.state === "broken").map((one) => one.key);
  const rows = Math.max(dependents.length, resources.length, 1);
  const height = TOP + rows * (BOX.height + BOX.gap);
  const tops = (some) => {
    const used = some.length * (BOX.height + BOX.gap);
    return some.map((_, place) => TOP + (height - TOP - used) / 2 + place * (BOX.height + BOX.gap));
  };
  const [left, right] = [tops(dependents), tops(resources)];
  const x = WIDTH - BOX.width - 1;
  const at = new Map(resources.map((resource, place) => [resource.key, right[place]]));
  const lines = dependents.flatMap((one, place) =>
    one.stands_on
      .filter((key) => at.has(key))
      .map((key) => [hitOf.get(one).has(key), line(left[place], at.get(key), x, hitOf.get(one).has(key))]),
  );
  // Broken ones last, so that they lie on top.
  lines.sort(([one], [other]) => Number(one) - Number(other));
  const words = `${count(dependents.length, "dependent")} on ${count(resources.length, "resource")}, ${lost.length} broken: ${lost.join(", ") || "none"}. The tables below say the same.`;
  return s(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${height}`, width: WIDTH, height, role: "img", "aria-label": words, focusable: "false" },
    s("text", { x: 1, y: 14, class: "column" }, "Depends"),
    s("text", { x, y: 14, class: "column" }, "Stands on"),
    lines.map(([, drawn]) => drawn),
    dependents.map((one, place) => box(1, left[place], dependentWords(one, hitOf.get(one).size > 0))),
    resources.map((one, place) => box(x, right[place], resourceWords(one))),
  );
}

function line(from, to, x, isLost) {
  const [start, y1, y2] = [BOX.width + 1, from + BOX.height / 2, to + BOX.height / 2];
  const bend = (x - start) / 2;
  const path = s("path", {
    d: `M${start} ${y1}C${start + bend} ${y1} ${x - bend} ${y2} ${x} ${y2}`,
    class: isLost ? "line lost" : "line",
  });
  if (!isLost) return path;
  const [cx, cy] = [(start + x) / 2, (y1 + y2) / 2];
  const cross = `M${cx - 5} ${cy - 5}l10 10M${cx + 5} ${cy - 5}l-10 10`;
  return s("g", {}, path, s("circle", { cx, cy, r: 10, class: "mark" }), s("path", { d: cross, class: "cross" }));
}

function dependentWords(one, isLost) {
  const name = one.name ?? shortName(one.id);
  return { isLost, title: name, more: `${plain(one.kind)} · ${one.status} · ${one.region}`, whole: one.id };
}

function resourceWords(one) {
  const isLost = one.state === "broken";
  const what = one.losses.map((loss) => plain(loss.what)).join(", ") || "no loss known";
  return { isLost, title: shortName(one.id), more: `${plain(one.kind)} · ${what}`, whole: one.id };
}

function box(x, y, { isLost, title, more, whole }) {
  const cross = `M${x + BOX.width - 22} ${y + 12}l10 10m0 -10l-10 10`;
  return s(
    "g",
    { class: isLost ? "box lost" : "box" },
    s("title", {}, whole),
    s("rect", { x, y, width: BOX.width, height: BOX.height, rx: 6 }),
    s("text", { x: x + 12, y: y + 19, class: "name" }, middle(title, CHARACTERS)),
    s("text", { x: x + 12, y: y + 35, class: "more" }, middle(more, CHARACTERS + 12)),
    isLost ? s("path", { d: cross, class: "cross" }) : null,
  );
}
