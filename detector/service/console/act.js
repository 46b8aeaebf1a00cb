// What a person may do: give a name and a key, silence, resolve, end a silence. Until a name is given, and a key where
// the service asks for one, the page only reads.

import { ask, author, Failure, hasKey, useKey } from "./api.js";
import { askFor, choices, field } from "./dialog.js";
import { h } from "./dom.js";
import { known, may, refreshAfter, restart } from "./model.js";
import { code } from "./pieces.js";
import { clock } from "./words.js";

const TEXT_MAX = 1024;
const HOUR_MS = 3_600_000;
const SPANS = [
  [1, "1 hour"],
  [4, "4 hours"],
  [24, "1 day"],
  [168, "7 days"],
];

/** Whether this page may change anything. */
export const acts = () => author.get() !== "" && may("write");

/** Asks for a name, and a key where one is needed. Resolves to whether the page may act afterwards. */
export function unlock() {
  const needed = known.state ? known.state.access.keys_needed : true;
  return askFor({
    title: needed ? "Allow actions with an API key" : "Allow actions",
    intro: h(
      "p",
      {},
      needed
        ? "Silencing and resolving need an API key with the right `write`. It goes to this service only and is never written to disk."
        : "This service listens on this machine alone and trusts it, so no key is needed. What you do is recorded under your name.",
    ),
    fields: [
      field(
        "author",
        "Your name",
        h("input", { required: true, maxlength: TEXT_MAX, autocomplete: "username", value: author.get() }),
        "Stands beside every silence and resolution.",
      ),
      needed ? keyFields() : null,
    ],
    confirm: "Allow actions",
    doing: async ({ author: name, key, keeps }) => {
      if (needed) await checkKey(key.trim(), keeps === "tab");
      author.set(name.trim());
      await restart();
    },
  });
}

/** Asks for a key because without one nothing can be read. */
export function readWithKey() {
  return askFor({
    title: "This service needs an API key",
    intro: h(
      "p",
      {},
      "A key with the right `read` shows what it knows. It goes to this service only and is never written to disk.",
    ),
    fields: keyFields(),
    confirm: "Use the key",
    doing: async ({ key, keeps }) => {
      await ask("/v1/state", { as: key.trim() });
      useKey(key.trim(), keeps === "tab");
      await restart();
    },
  });
}

function keyFields() {
  return [
    field("key", "API key", h("input", { type: "password", required: true, autocomplete: "off", spellcheck: "false" })),
    choices("keeps", "Remember the key", [
      ["page", "until this page is left or loaded again"],
      ["tab", "until this tab is closed"],
    ]),
  ];
}

async function checkKey(key, keeps) {
  const { access } = await ask("/v1/state", { as: key });
  if (!access.rights.includes("write")) {
    throw new Failure(403, `The key “${access.key}” is known but has not the right \`write\`; it can only read.`);
  }
  useKey(key, keeps);
}

/** Back to reading; the key and the name are forgotten. */
export async function lock() {
  author.set("");
  if (hasKey()) useKey(null, false);
  await restart();
}

/** Asks how to silence an alert, and does. */
export async function silence(id) {
  const alert = known.alerts.get(id) ?? known.details.get(id)?.alert;
  if (!alert || !(acts() || (await unlock()))) return false;
  const subject = alert.subject?.id;
  const scopes = [
    ["alert", "this alert only"],
    subject ? ["subject", `this rule about ${subject}, in account ${alert.account}`] : null,
    ["rule", `this rule in account ${alert.account}, whatever it is about`],
  ].filter(Boolean);
  return askFor({
    title: "Silence",
    intro: [
      h("p", {}, alert.title),
      h(
        "p",
        { class: "muted" },
        "Nobody is told while a silence holds. Alerts are still judged, stored and shown here.",
      ),
    ],
    fields: [
      choices("scope", "What", scopes),
      field(
        "hours",
        "For how long",
        h(
          "select",
          {},
          SPANS.map(([hours, words]) => h("option", { value: hours }, words)),
        ),
      ),
      reason("Why", "Such as a change number. The next on call reads it."),
    ],
    confirm: "Silence",
    isGrave: true,
    doing: async ({ scope, hours, reason: why }) => {
      const ends = new Date(Date.now() + Number(hours) * HOUR_MS).toISOString();
      const matcher = {
        alert: { alert: id },
        subject: { rule: alert.rule, account: alert.account, subject: exactly(subject) },
        rule: { rule: alert.rule, account: alert.account },
      }[scope];
      const made = await ask("/v1/silences", {
        method: "POST",
        body: { ...matcher, ends_at: ends, author: author.get(), reason: why },
      });
      await refreshAfter(id);
      say(`Silenced until ${clock(made.ends_at, new Date())} UTC.`);
    },
  });
}

// In a silence `*` stands for any text; a subject that has one in it is matched a little too widely, never too narrowly.
const exactly = (text) => String(text);

/** Asks why an alert is over, and resolves it. */
export async function resolve(id) {
  const alert = known.alerts.get(id) ?? known.details.get(id)?.alert;
  if (!alert || !(acts() || (await unlock()))) return false;
  return askFor({
    title: "Resolve",
    intro: [
      h("p", {}, alert.title),
      h(
        "p",
        { class: "muted" },
        "Everybody who was told of it is told that it is over. It opens again if it fires again or becomes worse.",
      ),
    ],
    fields: [reason("Why is it over?", "Such as what was repaired, or who explained it.")],
    confirm: "Resolve",
    isGrave: true,
    doing: async ({ reason: why }) => {
      await ask(`/v1/alerts/${encodeURIComponent(id)}/resolve`, {
        method: "POST",
        body: { author: author.get(), reason: why },
      });
      await refreshAfter(id);
      say("Resolved.");
    },
  });
}

/** Asks whether to end a silence, and does. */
export async function endSilence(id) {
  const silence = known.silences.find((one) => one.id === id);
  if (!silence || !(acts() || (await unlock()))) return false;
  return askFor({
    title: "End the silence",
    intro: h("p", {}, "Made by ", code(silence.author), ": ", silence.reason),
    fields: null,
    confirm: "End it now",
    doing: async () => {
      await ask(`/v1/silences?id=${encodeURIComponent(id)}`, { method: "DELETE" });
      await refreshAfter(null);
      say("The silence has ended.");
    },
  });
}

const reason = (label, hint) =>
  field("reason", label, h("textarea", { required: true, rows: 2, maxlength: TEXT_MAX }), hint);

function say(text) {
  document.dispatchEvent(new CustomEvent("said", { detail: { text } }));
}
