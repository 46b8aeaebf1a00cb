// Serves the console's own files and a scripted service, so that what the page does can be tested and looked at without
// building the service: `node mock.mjs [PORT]`. It keeps to openapi.json as far as the page uses it.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import * as world from "./world.mjs";

const FILES = join(dirname(fileURLToPath(import.meta.url)), "../../detector/service/console");
const TYPES = { html: "text/html; charset=utf-8", css: "text/css", js: "text/javascript", svg: "image/svg+xml" };
/** As `detector/service/src/http/console.rs` sends it; the test of the real daemon compares. */
export const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";
const KEYS = {
  "write-0123456789": { name: "ops", rights: ["read", "write"] },
  "read-0123456789": { name: "viewer", rights: ["read"] },
};

/** A mock on a free port, or on `port`. */
export async function serve({ port = 0, empty = false, keys = false } = {}) {
  const mock = {
    alerts: new Map((empty ? [] : world.alerts()).map((one) => [one.id, one])),
    resolutions: new Map(),
    silences: [],
    state: world.state(),
    keys,
    posts: [],
    watchers: new Set(),
    told: [],
    lastEventIds: [],
  };
  if (empty) emptied(mock);
  const server = createServer((request, response) =>
    answer(mock, request, response).catch((error) => {
      response.writeHead(500).end(String(error));
    }),
  );
  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  return Object.assign(mock, {
    address: `http://127.0.0.1:${server.address().port}`,
    fire: (alert, kind = "fired") => tell(mock, alert, kind),
    breakStream: () => mock.watchers.forEach((watcher) => watcher.destroy()),
    close: () => (server.closeAllConnections(), server.close()),
  });
}

function emptied(mock) {
  const none = { total: 0, list: [] };
  Object.assign(mock.state, {
    ready: true,
    reasons: {},
    engine: {},
    dependents: none,
    dependencies: [],
    logging: [],
    accounts: [],
    links: [],
  });
  mock.state.activity.principals = [];
}

function tell(mock, alert, kind) {
  mock.alerts.set(alert.id, alert);
  const text = `id: e-${mock.told.length + 1}\nevent: ${kind}\ndata: ${JSON.stringify(alert)}\n\n`;
  mock.told.push(text);
  for (const watcher of mock.watchers) watcher.write(text);
}

async function answer(mock, request, response) {
  const { pathname, searchParams } = new URL(request.url, "http://mock");
  const key = KEYS[request.headers["x-api-key"]];
  const json = (status, body) =>
    response
      .writeHead(status, { "content-type": "application/json" })
      .end(body === null ? undefined : JSON.stringify(body));
  if (pathname === "/" || pathname.startsWith("/console/")) return file(pathname, response);
  if (mock.keys && !key) return json(401, { error: "an API key is needed, in `Authorization: Bearer` or `x-api-key`" });
  if (mock.keys && request.method !== "GET" && !key.rights.includes("write"))
    return json(403, { error: "the API key has not the right `write`" });
  const body = request.method === "POST" ? JSON.parse(await text(request)) : null;
  if (request.method !== "GET") mock.posts.push({ method: request.method, path: request.url, body });
  const access = { keys_needed: mock.keys, key: key?.name ?? null, rights: key?.rights ?? ["events", "read", "write"] };
  const [, , collection, id, verb] = pathname.split("/").map(decodeURIComponent);
  switch (`${request.method} ${collection} ${id ? "one" : "all"}${verb ? ` ${verb}` : ""}`) {
    case "GET state all":
      return json(200, { ...mock.state, firing: firing(mock), silences: mock.silences.length, access });
    case "GET stream all":
      return stream(mock, request, response);
    case "GET alerts all":
      return json(200, { alerts: list(mock, searchParams), next: null });
    case "GET alerts one":
      return mock.alerts.has(id)
        ? json(200, details(mock, id))
        : json(404, { error: "there is no alert with this id" });
    case "POST alerts one resolve":
      return json(200, resolve(mock, id, body));
    case "GET silences all":
      return json(200, { silences: mock.silences });
    case "POST silences all":
      return body.reason === "refuse me"
        ? json(400, { error: "`ends_at` is more than 90 days ahead" })
        : json(201, silence(mock, body));
    case "DELETE silences all":
      mock.silences = mock.silences.filter((one) => one.id !== searchParams.get("id"));
      return json(204, null);
    case "GET incidents all":
      return json(200, { incidents: mock.alerts.size ? world.incidents() : [] });
    case "GET incidents one":
      return json(200, {
        incident: world.incidents()[0],
        timeline: world.timeline(),
        merged_into: null,
        report: world.report(),
      });
    default:
      return json(404, { error: "there is no such path; see /v1/openapi.json" });
  }
}

async function file(pathname, response) {
  const name = pathname === "/" ? "index.html" : pathname.slice("/console/".length);
  const bytes = await readFile(join(FILES, name)).catch(() => null);
  if (!bytes || name.includes("/")) return response.writeHead(404).end();
  response.writeHead(200, {
    "content-type": TYPES[name.split(".").pop()],
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
  });
  response.end(bytes);
}

const list = (mock, asked) =>
  [...mock.alerts.values()].filter((one) => !asked.get("status") || one.status === asked.get("status"));

const firing = (mock) =>
  Object.fromEntries(
    Object.keys(mock.state.firing).map((severity) => [
      severity,
      [...mock.alerts.values()].filter((one) => one.status === "firing" && one.severity === severity).length,
    ]),
  );

function details(mock, id) {
  const alert = mock.alerts.get(id);
  const resolution = mock.resolutions.get(id) ?? null;
  const history = world.history(alert);
  if (resolution) history.push({ ...history.at(-1), revision: 9, kind: "resolved", status: "resolved", resolution });
  const silenced = mock.silences.find((one) => one.alert === id)?.id ?? null;
  return {
    alert,
    revision: history.length,
    created_at: alert.first_event_time,
    changed_at: alert.last_event_time,
    silence: silenced,
    resolution,
    history,
    dead_letters: [],
  };
}

function resolve(mock, id, by) {
  mock.resolutions.set(id, by);
  tell(mock, { ...mock.alerts.get(id), status: "resolved" }, "resolved");
  return details(mock, id);
}

function silence(mock, wish) {
  const none = {
    alert: null,
    rule: null,
    account: null,
    region: null,
    principal: null,
    subject: null,
    severity_max: null,
  };
  const made = { id: `s-${mock.silences.length + 1}`, starts_at: new Date().toISOString(), ...none, ...wish };
  mock.silences.push(made);
  return made;
}

function stream(mock, request, response) {
  const last = request.headers["last-event-id"];
  mock.lastEventIds.push(last ?? null);
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.write(": hello\n\n");
  if (last) mock.told.slice(Number(last.slice(2))).forEach((text) => response.write(text));
  mock.watchers.add(response);
  response.on("close", () => mock.watchers.delete(response));
}

async function text(request) {
  let all = "";
  for await (const piece of request) all += piece;
  return all;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log((await serve({ port: Number(process.argv[2] ?? 0) })).address);
}
