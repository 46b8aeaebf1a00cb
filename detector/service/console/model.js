// What the page knows: alerts, incidents, silences, what the service says of itself, and whether all that is live.
//
// It draws nothing. Whoever wants to know of changes asks to be told; several changes in one moment are told once.

import { ask, Failure } from "./api.js";
import { follow } from "./stream.js";
import { SEVERITIES } from "./words.js";

const FIRING_MAX = 200;
const RECENT_MAX = 60;
const POLL_MS = 5_000;
const POLL_HIDDEN_MS = 30_000;
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

const listeners = new Set();
let scheduled = false;
let timer = null;
let settling = null;
let stream = null;

/** Calls `listener` after changes; `listener.heard(kind, alert)` is called for each change of an alert. */
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
    // Between the first reading and the first moment of the stream something may have changed.
    if (status === "live" && was !== "live") refreshAll();
    changed();
  });
  document.addEventListener("visibilitychange", () => document.hidden || poll());
}

/** Reads everything again and connects again, with the key as it is. */
export async function restart() {
  await refreshAll();
  stream?.again();
}

/** Tries to be live at once. */
export const reconnect = () => stream?.again();

/** Reads an alert with its history; again on every change while it is shown. */
export async function open(id) {
  await attempt(
    async () => known.details.set(id, await ask(`/v1/alerts/${encodeURIComponent(id)}`)),
    (failure) => {
      if (failure.status === 404) known.details.set(id, null);
    },
  );
}

/** Reads an incident with its alerts. */
export async function openIncident(id) {
  await attempt(
    async () => known.incident.set(id, await ask(`/v1/incidents/${encodeURIComponent(id)}`)),
    (failure) => {
      if (failure.status === 404) known.incident.set(id, null);
    },
  );
}

/** Reads what can have changed by an action of this page. */
export async function refreshAfter(id) {
  await Promise.all([refreshSilences(), refreshState(), id ? open(id) : null]);
}

async function refreshAll() {
  const alerts = attempt(async () => {
    const [firing, recent] = await Promise.all([
      ask(`/v1/alerts?status=firing&limit=${FIRING_MAX}`),
      ask(`/v1/alerts?limit=${RECENT_MAX}`),
    ]);
    known.alerts = new Map([...recent.alerts, ...firing.alerts].map((alert) => [alert.id, alert]));
    known.loaded = true;
  });
  await Promise.all([alerts, refreshState(), refreshSilences(), refreshIncidents()]);
  for (const id of known.details.keys()) open(id);
}

const refreshState = () => attempt(async () => (known.state = await ask("/v1/state")));
const refreshSilences = () => attempt(async () => (known.silences = (await ask("/v1/silences")).silences));

// A service without incidents has none to show.
const refreshIncidents = () =>
  attempt(
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
  if (kind === "withdrawn") known.alerts.delete(alert.id);
  else known.alerts.set(alert.id, alert);
  if (known.details.has(alert.id)) open(alert.id);
  for (const listener of listeners) listener.heard?.(kind, alert);
  changed();
  clearTimeout(settling);
  settling = setTimeout(() => {
    refreshState();
    refreshIncidents();
    for (const id of known.incident.keys()) openIncident(id);
  }, SETTLE_MS);
}

async function attempt(doing, failed = () => {}) {
  try {
    await doing();
    known.trouble = null;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    failed(error);
    // That there is no such thing says nothing about the others.
    if (error.status !== 404) known.trouble = error;
  }
  changed();
}

async function poll() {
  clearTimeout(timer);
  await refreshState();
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
