// Follows `/v1/stream`: server-sent events, read by hand because an EventSource can send no API key.
//
// It comes back after every break with `Last-Event-ID`, so that nothing is missed while the service still remembers it,
// and says whether it is live. The service sends something every 15 s; silence for longer means that it is not.

import { headers } from "./api.js";

const SILENCE_MS = 40_000;
const WAIT_MIN_MS = 500;
const WAIT_MAX_MS = 15_000;

/** Follows until the page is left. `told(kind, data)` for each event, `stands(status, detail)` for each change of it:
 * `connecting`, `live`, or `offline` with the reason and the time of the next attempt. */
export function follow(told, stands) {
  const place = { last: null, failures: 0, wake: null, end: null };
  const again = () => {
    place.end?.abort(new Error("asked again"));
    place.wake?.();
  };
  loop(place, told, stands);
  addEventListener("online", again);
  return { again };
}

async function loop(place, told, stands) {
  for (;;) {
    const reason = await connect(place, told, stands).catch((error) => error.message);
    place.failures += 1;
    const wait =
      Math.min(WAIT_MAX_MS, WAIT_MIN_MS * 2 ** Math.min(place.failures - 1, 10)) * (0.75 + Math.random() / 2);
    stands("offline", { reason, next: Date.now() + wait });
    await new Promise((resolve) => {
      place.wake = resolve;
      setTimeout(resolve, wait);
    });
  }
}

/** One connection; returns or throws why it ended. */
async function connect(place, told, stands) {
  if (place.failures === 0) stands("connecting");
  const end = (place.end = new AbortController());
  let silence = null;
  const alive = () => {
    clearTimeout(silence);
    silence = setTimeout(() => end.abort(new Error("nothing was heard for 40 s")), SILENCE_MS);
  };
  alive();
  try {
    const asked = { ...headers(), accept: "text/event-stream" };
    if (place.last !== null) asked["last-event-id"] = place.last;
    const response = await fetch("/v1/stream", { headers: asked, cache: "no-store", signal: end.signal });
    if (!response.ok) return refusal(response.status);
    place.failures = 0;
    stands("live");
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const parse = parser(place, told);
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return "the service ended the connection";
      alive();
      parse(value);
    }
  } catch (error) {
    throw end.signal.aborted ? end.signal.reason : new Error("the connection broke", { cause: error });
  } finally {
    clearTimeout(silence);
    end.abort();
  }
}

function refusal(status) {
  if (status === 401) return "the service asks for an API key";
  if (status === 403) return "the API key may not read";
  if (status === 503) return "too many watch already, or the service is ending";
  return `the service answered ${status}`;
}

/** Takes text in any pieces and hands over whole events (HTML Living Standard, 9.2.6). */
export function parser(place, told) {
  let rest = "";
  let event = { kind: "message", data: [] };
  const line = (text) => {
    if (text === "") {
      if (event.data.length > 0) told(event.kind, event.data.join("\n"));
      event = { kind: "message", data: [] };
      return;
    }
    if (text.startsWith(":")) return;
    const colon = text.indexOf(":");
    const field = colon < 0 ? text : text.slice(0, colon);
    const value = colon < 0 ? "" : text.slice(colon + 1).replace(/^ /, "");
    if (field === "event") event.kind = value;
    else if (field === "data") event.data.push(value);
    else if (field === "id") place.last = value;
  };
  return (text) => {
    const lines = (rest + text).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    lines.forEach(line);
  };
}
