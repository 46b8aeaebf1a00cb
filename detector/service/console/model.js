// What the page knows: alerts, incidents, silences, what the service says of itself, and whether all that is live.
//
// It draws nothing. Whoever wants to know of changes asks to be told; several changes in one moment are told once.

import { ask, Failure } from "./api.js";
import { follow } from "./stream.js";
import { SEVERITIES } from "./words.js";

const FIRING_MAX = 200;
const RECENT_MAX = 60;
// What a page that stays open for weeks keeps: of more alerts those that are over go first, the oldest of them.
const ALERTS_MAX = 600;
const DETAILS_MAX = 20;
const POLL_MS = 5_000;
const POLL_HIDDEN_MS = 30_000;
// The stream tells what this worker did. What others did, and people by the command line, is in the store they share:
// the lists are read again when the counts of it changed, and because those do not tell everything, this often anyway.
const LISTS_MS = 30_000;
// What is asked again because of a change waits for others to come.
const SETTLE_MS = 250;
const KINDS = new Set(["fired", "updated", "resolved", "withdrawn"]);

/** Everything known. Read it, never change it from elsewhere. */
export const known = {
  alerts: new Map(),
  details: new Map(),
  incidents: [],
  incident: new Map(),
  silences: [],
  state: null,
  live: { status: "connecting" },
  /** Why nothing can be asked at the moment, or null. */
  trouble: null,
  loaded: false,
};

// Why something could not be asked, by what it is.
const troubles = new Map();
const listeners = new Set();
let scheduled = false;
let timer = null;
let settling = null;
let stream = null;
// What the service counted when the lists were last read, and when that was.
let lists = { counted: null, at: 0 };
// For each reading of alerts under way, what the stream told meanwhile: that is newer than what is read.
const readings = new Set();

/** Calls `listener.changed()` after changes, `listener.heard(kind, alert, before)` for each change of an alert,
 * `listener.stands(status, was)` when the page is live or no longer live, and `listener.restarted()` when everything
 * must be asked again. */
export function listen(listener) {
  listeners.add(listener);
}

/** The service's time: event time where that is what it goes by. */
export const now = () => known.state?.now ?? new Date().toISOString();

/** What the one who asks may do. */
export const may = (right) => known.state?.access?.rights?.includes(right) ?? false;

/** The most urgent first: firing before over, then by severity, then the newest. */
export function byUrgency(alerts) {
  const rank = (alert) => (alert.status === "firing" ? 0 : 10) + SEVERITIES.indexOf(alert.severity);
  const newest = (one, other) => (one.last_event_time < other.last_event_time ? 1 : -1);
  return [...alerts].sort(
    (one, other) => rank(one) - rank(other) || newest(one, other) || (one.id < other.id ? -1 : 1),
  );
}

/** Begins: reads everything once, then follows. */
export async function start() {
  await refreshAll();
  stream = follow(told, (status, detail) => {
    const was = known.live.status;
    known.live = { status, ...detail };
    if (status !== was) for (const listener of listeners) listener.stands?.(status, was);
    // Between the first reading and the first moment of the stream something may have changed.
    if (status === "live" && was !== "live") refreshAll();
    changed();
  });
  document.addEventListener("visibilitychange", () => document.hidden || poll());
}

/** Reads everything again and connects again, with the key as it is. */
export async function restart() {
  for (const listener of listeners) listener.restarted?.();
  await refreshAll();
  stream?.again();
}

/** Tries to be live at once. */
export const reconnect = () => stream?.again();

/** Reads an alert with its history; again on every change while it is shown. */
export async function open(id) {
  await attempt(
    "alert",
    async () => keep(known.details, id, await ask(`/v1/alerts/${encodeURIComponent(id)}`)),
    (failure) => {
      if (failure.status === 404) keep(known.details, id, null);
    },
  );
}

/** Reads an incident with its alerts. */
export async function openIncident(id) {
  await attempt(
    "incident",
    async () => keep(known.incident, id, await ask(`/v1/incidents/${encodeURIComponent(id)}`)),
    (failure) => {
      if (failure.status === 404) keep(known.incident, id, null);
    },
  );
}

/** Keeps what was looked at last. */
function keep(map, id, value) {
  map.delete(id);
  map.set(id, value);
  if (map.size > DETAILS_MAX) map.delete(map.keys().next().value);
}

/** Reads what can have changed by an action of this page. */
export async function refreshAfter(id) {
  await Promise.all([refreshSilences(), refreshState(), id ? open(id) : null]);
}

async function refreshAll() {
  await Promise.all([refreshState(), refreshLists()]);
  for (const id of known.details.keys()) open(id);
}

/** Reads alerts, silences and incidents. */
async function refreshLists() {
  // As it was before: what is counted from here on is noticed the next time, even if it is in what is read already.
  lists = { counted: counted(), at: Date.now() };
  await Promise.all([attempt("alerts", refreshAlerts), refreshSilences(), refreshIncidents()]);
}

const counted = () => known.state && JSON.stringify([known.state.firing, known.state.silences]);

async function refreshAlerts() {
  const meanwhile = new Map();
  readings.add(meanwhile);
  try {
    // The newest, and whatever is urgent among those before.
    const pages = await Promise.all([
      ask(`/v1/alerts?limit=${RECENT_MAX}`),
      ask(`/v1/alerts?status=firing&limit=${FIRING_MAX}`),
      ask(`/v1/alerts?status=firing&severity=high&limit=${FIRING_MAX}`),
    ]);
    take(pages, meanwhile);
  } finally {
    readings.delete(meanwhile);
  }
}

/** Takes over what was read, and tells what of it is new as if the stream had told it. */
function take(pages, meanwhile) {
  const before = known.alerts;
  const [newest] = pages;
  // Those that are over and older than what was read stay as they are.
  const oldest = newest.next ? newest.alerts.at(-1)?.first_event_time : "";
  const old = [...before.values()].filter((one) => one.status !== "firing" && one.first_event_time < oldest);
  known.alerts = new Map([...old, ...pages.flatMap((page) => page.alerts)].map((alert) => [alert.id, alert]));
  for (const [id, alert] of meanwhile) {
    known.alerts.delete(id);
    if (alert) known.alerts.set(id, alert);
  }
  forgetOldest();
  if (known.loaded) tellChanges(before, new Set([...newest.alerts.map((one) => one.id), ...before.keys()]), meanwhile);
  known.loaded = true;
}

/** Tells what changed since `before` in alerts that are new or known, and reads what is shown of them again. */
function tellChanges(before, heeded, told) {
  const changes = [...known.alerts.values()].flatMap((alert) => {
    const kind = told.has(alert.id) ? null : changeOf(alert, before.get(alert.id));
    return kind ? [[kind, alert]] : [];
  });
  for (const [kind, alert] of changes) {
    if (!heeded.has(alert.id)) continue;
    for (const listener of listeners) listener.heard?.(kind, alert, before.get(alert.id));
  }
  const changed = new Set(changes.map(([, alert]) => alert.id));
  for (const id of known.details.keys()) {
    if (changed.has(id) || (before.has(id) && !known.alerts.has(id))) open(id);
  }
  if (changes.length) for (const id of known.incident.keys()) openIncident(id);
}

function forgetOldest() {
  while (known.alerts.size > ALERTS_MAX) {
    const over = [...known.alerts.values()].find((one) => one.status !== "firing");
    known.alerts.delete((over ?? known.alerts.values().next().value).id);
  }
}

/** What became of an alert since it was `before`, in the stream's words, or null. */
function changeOf(alert, before) {
  if (!before) return alert.status === "firing" ? "fired" : null;
  if (alert.status !== before.status) return alert.status === "firing" ? "fired" : "resolved";
  return JSON.stringify(alert) === JSON.stringify(before) ? null : "updated";
}

const refreshState = () => attempt("state", async () => (known.state = await ask("/v1/state")));
const refreshSilences = () => attempt("silences", async () => (known.silences = (await ask("/v1/silences")).silences));

// A service without incidents has none to show.
const refreshIncidents = () =>
  attempt(
    "incidents",
    async () => (known.incidents = (await ask("/v1/incidents")).incidents),
    () => (known.incidents = []),
  );

function told(kind, data) {
  if (kind === "reset" || kind === "lagged") {
    refreshAll();
    return;
  }
  if (!KINDS.has(kind)) return;
  const alert = JSON.parse(data);
  const before = known.alerts.get(alert.id);
  for (const meanwhile of readings) meanwhile.set(alert.id, kind === "withdrawn" ? null : alert);
  known.alerts.delete(alert.id);
  if (kind !== "withdrawn") known.alerts.set(alert.id, alert);
  forgetOldest();
  if (known.details.has(alert.id)) open(alert.id);
  for (const listener of listeners) listener.heard?.(kind, alert, before);
  changed();
  clearTimeout(settling);
  settling = setTimeout(() => {
    refreshState();
    refreshIncidents();
    for (const id of known.incident.keys()) openIncident(id);
  }, SETTLE_MS);
}

async function attempt(what, doing, failed = () => {}) {
  try {
    await doing();
    troubles.delete(what);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    failed(error);
    // That there is no such thing says nothing about the others.
    if (error.status !== 404) troubles.set(what, error);
  }
  known.trouble = troubles.values().next().value ?? null;
  changed();
}

async function poll() {
  clearTimeout(timer);
  await refreshState();
  // Without the counts, because the service does not answer, there is nothing to read either.
  if (!troubles.has("state") && (counted() !== lists.counted || Date.now() - lists.at >= LISTS_MS)) await refreshLists();
  timer = setTimeout(poll, document.hidden ? POLL_HIDDEN_MS : POLL_MS);
}
timer = setTimeout(poll, POLL_MS);

function changed() {
  if (scheduled) return;
  scheduled = true;
  // A hidden page draws no frames, and has to be right when it is looked at.
  setTimeout(() => {
    scheduled = false;
    for (const listener of listeners) listener.changed?.();
  }, 16);
}
