// Asks the service. Knows the API key, if one was given, and turns every failure into one sentence for a person.

const TIMEOUT_MS = 15_000;
const KEY = "bedrock-watch.key";
const NAME = "bedrock-watch.name";

let key = sessionStorage.getItem(KEY);

/** What went wrong, as a sentence; `status` is that of HTTP, 0 when the service was not reached. */
export class Failure extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** The headers that go with every request. */
export function headers() {
  return key ? { "x-api-key": key } : {};
}

/** Uses this key from now on: until the page is left, or if `keeps` until the tab is closed. Never on disk. */
export function useKey(value, keeps) {
  key = value || null;
  if (key && keeps) sessionStorage.setItem(KEY, key);
  else sessionStorage.removeItem(KEY);
}

/** Whether a key is in use. */
export const hasKey = () => key !== null;

/** The name under which actions are recorded. */
export const author = {
  get: () => sessionStorage.getItem(NAME) ?? "",
  set: (name) => (name ? sessionStorage.setItem(NAME, name) : sessionStorage.removeItem(NAME)),
};

/** Asks and returns the answer's JSON; null for an empty answer. Throws a `Failure`. */
export async function ask(path, { method = "GET", body, as = key } = {}) {
  const options = { method, headers: as ? { "x-api-key": as } : {}, cache: "no-store" };
  options.signal = AbortSignal.timeout(TIMEOUT_MS);
  if (body !== undefined) {
    options.headers["content-type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    const slow = error.name === "TimeoutError";
    throw new Failure(0, slow ? "The service has not answered for 15 s." : "The service cannot be reached.");
  }
  const text = await response.text();
  const answer = parsed(text);
  if (response.ok) return answer;
  throw new Failure(response.status, sentence(answer?.error ?? `The service answered ${response.status}.`));
}

function parsed(text) {
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return null;
  }
}

function sentence(text) {
  const whole = String(text).trim();
  return `${whole.charAt(0).toUpperCase()}${whole.slice(1)}${/[.!?]$/.test(whole) ? "" : "."}`;
}
