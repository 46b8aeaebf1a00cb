// The console: puts the views together and keeps them as they should be. Where one is stands in the address
// (`#alert=ID`), so that every view can be linked to.

import { acts, endSilence, lock, readWithKey, resolve, silence, unlock } from "./act.js";
import { activity, bursting } from "./activity.js";
import { alerts, guess, guessAgain } from "./alerts.js";
import { author } from "./api.js";
import { broken, dependencies } from "./dependencies.js";
import { h, visible } from "./dom.js";
import { health, meaning, problems } from "./health.js";
import { icon } from "./icons.js";
import { incidents } from "./incidents.js";
import { blind, logging } from "./logging.js";
import { known, listen, open, openIncident, reconnect, start } from "./model.js";
import { show } from "./morph.js";
import { state, time } from "./pieces.js";
import { SEVERITIES, count, duration } from "./words.js";

const of = (id) => document.getElementById(id);
const firing = () => [...known.alerts.values()].filter((alert) => alert.status === "firing");
const VIEWS = {
  alerts: { word: "Alerts", draw: alerts, badge: () => [firing().length, "firing"] },
  incidents: {
    word: "Incidents",
    draw: incidents,
    badge: () => [known.incidents.filter((one) => one.status === "firing").length, "open"],
  },
  dependencies: { word: "Dependencies", draw: dependencies, badge: () => [broken(), "in trouble"] },
  activity: { word: "Activity", draw: activity, badge: () => [bursting(), "in a burst"] },
  logging: { word: "Logging", draw: logging, badge: () => [blind(), "off"] },
  health: {
    word: "Health",
    draw: health,
    badge: () => [problems().length, problems().length === 1 ? "problem" : "problems"],
  },
};

/** Which view the address names, and which alert or incident of it. */
function place() {
  const [name, chosen = null] = location.hash.slice(1).split("=", 2);
  if (name === "alert" && chosen) return { view: "alerts", chosen };
  if (name === "incident" && chosen) return { view: "incidents", chosen };
  return { view: Object.hasOwn(VIEWS, name) ? name : "alerts", chosen: null };
}

function draw() {
  const { view, chosen } = place();
  show(
    of("nav"),
    h(
      "ul",
      {},
      Object.entries(VIEWS).map(([name, about]) => tab(name, about, name === view)),
    ),
  );
  show(of("bar"), bar());
  show(of("banners"), banners());
  show(of("main"), h("div", { class: "view", key: `${view}-${chosen ? "one" : "all"}` }, VIEWS[view].draw(chosen)));
  show(of("foot"), foot());
  const shown = known.alerts.get(chosen)?.title ?? VIEWS[view].word;
  const urgent = firing().length;
  document.title = `${urgent ? `(${urgent}) ` : ""}${visible(shown)} · bedrock-watch`;
}

function tab(name, { word, badge }, isHere) {
  const [value, what] = badge();
  const mark =
    value > 0 ? h("span", { class: "badge" }, String(value), h("span", { class: "unseen" }, ` ${what}`)) : null;
  return h("li", { key: name }, h("a", { href: `#${name}`, "aria-current": isHere ? "page" : null }, word, " ", mark));
}

function bar() {
  const { status } = known.live;
  const live =
    status === "live" ? ["live", "Live"] : status === "connecting" ? ["stale", "Connecting"] : ["stale", "Not live"];
  const access = acts()
    ? h(
        "button",
        { type: "button", "data-do": "lock", "aria-label": `Acting as ${author.get()}; go back to reading only` },
        icon("open"),
        " ",
        h("span", { class: "cut" }, author.get()),
      )
    : h("button", { type: "button", "data-do": "unlock" }, icon("locked"), " Read-only");
  return [behind(), h("span", { class: `live is-${status}` }, icon(live[0]), " ", live[1]), access];
}

/** How old the newest event is: what an operator looks at first. */
function behind() {
  const newest = (known.state?.accounts ?? [])
    .map((one) => one.newest_event_time)
    .sort()
    .at(-1);
  return newest ? h("span", { class: "muted" }, "Newest judged event ", time(newest, { relative: true })) : null;
}

function banners() {
  const { status, reason, next } = known.live;
  const some = [];
  if (known.trouble?.status === 401) {
    some.push(
      banner("key", [
        "This service needs an API key. ",
        h("button", { type: "button", class: "small", "data-do": "key" }, "Give a key…"),
      ]),
    );
  } else if (known.trouble) {
    some.push(banner("trouble", [known.trouble.message, " What is shown may be old."]));
  }
  if (status === "offline" && known.trouble?.status !== 401) {
    const wait = Math.max(0, (next - Date.now()) / 1000);
    some.push(
      banner("live", [
        `Not live: ${reason}. Trying again${wait >= 1 ? ` in ${duration(wait)}` : ""}. `,
        h("button", { type: "button", class: "small", "data-do": "again" }, "Try now"),
      ]),
    );
  }
  const [first, ...others] = problems();
  if (first && place().view !== "health") {
    const more = others.length ? ` And ${count(others.length, "more")}.` : "";
    some.push(
      banner("reasons", [
        state("broken", `Not fully protecting: ${first[0]}.`),
        ` ${meaning(first[0])}${more} `,
        h("a", { href: "#health" }, "Health"),
      ]),
    );
  }
  return some;
}

const banner = (key, content) => h("div", { class: "banner", key }, content);

function foot() {
  const all = known.state;
  if (!all) return null;
  return h(
    "p",
    {},
    `bedrock-watch ${all.version} · times are UTC · the service's time is `,
    time(all.now),
    " · ",
    h("a", { href: "/v1/openapi.json" }, "API"),
  );
}

/** Reads what is shown, unless it was read before; `again` reads it anyway. */
function load(again = false) {
  const { view, chosen } = place();
  if (view === "incidents" && chosen && (again || !asked.has(chosen))) openIncident(chosen);
  if (view === "alerts") {
    const wanted = chosen ?? guess();
    if (wanted && (again || !asked.has(wanted))) open(wanted);
    asked.add(wanted);
  }
  if (chosen) asked.add(chosen);
}
const asked = new Set();

function say(text, isUrgent = false) {
  const where = of(isUrgent ? "said-urgently" : "said-politely");
  // The same text twice in a row is said only when it is another node.
  where.replaceChildren(h("p", {}, text));
}

async function copy(button) {
  const pre = button.parentElement.querySelector("pre");
  try {
    await navigator.clipboard.writeText(pre.textContent);
    button.textContent = "Copied";
    say("Copied");
    setTimeout(() => (button.textContent = "Copy"), 2_000);
  } catch {
    getSelection().selectAllChildren(pre);
    say("Could not copy; the text is selected");
  }
}

const DOES = {
  copy,
  unlock,
  lock,
  key: readWithKey,
  again: reconnect,
  skip: () => of("main").focus(),
  silence: (button) => silence(button.dataset.id),
  resolve: (button) => resolve(button.dataset.id),
  "end-silence": (button) => endSilence(button.dataset.id),
};

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-do]");
  if (!button) return;
  event.preventDefault();
  Promise.resolve(DOES[button.dataset.do]?.(button)).then(draw);
});
document.addEventListener("said", (event) => say(event.detail.text));
addEventListener("hashchange", () => {
  guessAgain();
  load(true);
  draw();
  const target = place().chosen ? (of("story-title") ?? of("heading")) : of("heading");
  target?.focus({ preventScroll: false });
});
listen({
  changed: () => {
    load();
    draw();
  },
  stands: (status, was) => {
    if (status === "offline" && was === "live") say("No longer live");
    if (status === "live" && was === "offline") say("Live again");
  },
  restarted: () => asked.clear(),
  heard: (kind, alert, before) => {
    const isWorse = before && SEVERITIES.indexOf(alert.severity) < SEVERITIES.indexOf(before.severity);
    if (kind === "updated" && isWorse) say(`Now ${alert.severity}: ${alert.title}`, alert.severity === "critical");
    if (kind === "fired")
      say(`New ${alert.severity} alert: ${alert.title}. ${alert.summary}`, alert.severity === "critical");
    if (kind === "resolved") say(`Resolved: ${alert.title}`);
  },
});
draw();
start();
