// The console in a real browser, before a scripted service.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { POLICY, serve } from "./mock.mjs";
import { atEnd, checkAccessible, checkFits, leave, visit } from "./visit.mjs";
import { HOSTILE, alert } from "./world.mjs";

const VIEWS = [
  "alerts",
  "alert=a-deleted",
  "incidents",
  "incident=i-a-burst",
  "dependencies",
  "activity",
  "logging",
  "health",
];
after(leave);

async function mocked(t, options) {
  const mock = await serve(options);
  atEnd(t, mock.close);
  return mock;
}

const heading = (page) => page.locator("main h1");
const isReady = (page) => page.getByText("Live", { exact: true }).waitFor();

for (const scheme of ["light", "dark"]) {
  test(`every view is accessible, ${scheme}`, async (t) => {
    const mock = await mocked(t);
    const page = await visit(t, mock.address, { scheme });
    await isReady(page);
    for (const view of VIEWS) {
      await page.goto(`${mock.address}/#${view}`);
      await heading(page).waitFor();
      await page.locator("main details").evaluateAll((all) => all.forEach((one) => (one.open = true)));
      await checkAccessible(page, `${view} (${scheme})`);
    }
  });
}

test("every view fits a narrow window and one at 400 %", async (t) => {
  const mock = await mocked(t);
  const page = await visit(t, mock.address, { width: 320, height: 256 });
  for (const view of [...VIEWS, "alert=a-hostile"]) {
    await page.goto(`${mock.address}/#${view}`);
    await heading(page).waitFor();
    await checkFits(page, view);
  }
});

test("the policy is strict and holds", async (t) => {
  const mock = await mocked(t);
  const page = await visit(t, mock.address, { allowed: /Content Security Policy|TrustedHTML/ });
  const response = await page.reload();
  assert.equal(response.headers()["content-security-policy"], POLICY);
  assert.ok(!/unsafe|\*|https?:/.test(POLICY));
  const refused = await page.evaluate(() => {
    try {
      document.body.innerHTML = "<b>markup</b>";
    } catch (error) {
      return error.name;
    }
  });
  assert.equal(refused, "TypeError");
});

test("an alert that fires appears at once, is announced and disturbs nobody", async (t) => {
  const mock = await mocked(t);
  const page = await visit(t, mock.address, { hash: "#alert=a-burst" });
  await isReady(page);
  const queries = page.locator("summary", { hasText: "Everything the principal did" });
  await queries.click();
  await queries.focus();
  mock.fire(
    alert("a-new", { severity: "critical", title: "A brand new thing", last_event_time: "2026-11-18T15:58:00Z" }),
  );
  await page.getByRole("link", { name: /A brand new thing/ }).waitFor();
  assert.match(await page.locator(".items a").first().innerText(), /A brand new thing/);
  assert.match(await page.locator("#said-urgently").innerText(), /New critical alert: A brand new thing/);
  assert.match(await page.title(), /^\(5\) /);
  assert.ok(
    await queries.evaluate((summary) => summary.parentElement.open && document.activeElement === summary),
    "what was open and focused stays so",
  );
  mock.fire({ ...alert("a-new", {}), status: "resolved" }, "resolved");
  await page.getByRole("heading", { name: "Firing now: 4" }).waitFor();
});

test("who reads the most urgent alert goes on reading it when another comes", async (t) => {
  const mock = await mocked(t);
  const page = await visit(t, mock.address);
  const story = page.locator("#story-title");
  await page.locator("#story-title", { hasText: "Model invocation logging switched off" }).waitFor();
  mock.fire(alert("a-new", { severity: "critical", title: "Even newer", last_event_time: "2026-11-18T15:58:00Z" }));
  await page.getByRole("link", { name: /Even newer/ }).waitFor();
  assert.equal(await story.innerText(), "Model invocation logging switched off");
});

test("a broken stream is said, and what was missed comes after it", async (t) => {
  const mock = await mocked(t);
  const page = await visit(t, mock.address, { allowed: /ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_CONNECTION/ });
  await isReady(page);
  mock.fire(alert("a-first", { title: "Before the break" }));
  await page.getByRole("link", { name: /Before the break/ }).waitFor();
  mock.breakStream();
  await page.getByText(/Not live: the connection broke/).waitFor();
  mock.fire(alert("a-second", { title: "During the break" }));
  await page.getByRole("link", { name: /During the break/ }).waitFor();
  await isReady(page);
  assert.equal(mock.lastEventIds.at(-1), "e-1");
});

test("what another worker or a person elsewhere did appears without the stream", async (t) => {
  const mock = await mocked(t);
  const page = await visit(t, mock.address, { hash: "#alert=a-burst" });
  await page.clock.install();
  await page.reload();
  await isReady(page);
  await page.getByRole("heading", { name: "Firing now: 4" }).waitFor();
  // In the shared store, and told to nobody here.
  const elsewhere = alert("a-elsewhere", { severity: "critical", title: "Seen by another worker" });
  mock.alerts.set("a-elsewhere", elsewhere);
  await page.clock.fastForward(5_000);
  await page.getByRole("link", { name: /critical firing .*Seen by another worker/ }).waitFor();
  assert.match(await page.locator("#said-urgently").innerText(), /New critical alert: Seen by another worker/);
  // Resolved with the command line.
  mock.resolutions.set("a-burst", { author: "Ana", reason: "the key is off" });
  mock.alerts.set("a-burst", { ...mock.alerts.get("a-burst"), status: "resolved" });
  mock.silences.push({ id: "s-1", alert: "a-elsewhere", reason: "change 42", author: "Ana", ends_at: "2099-01-01T00:00:00Z" });
  await page.clock.fastForward(5_000);
  await page.getByText("Resolved by Ana").waitFor();
  await page.getByText("Silences: 1").waitFor();
  // What no count tells comes a little later.
  mock.alerts.set("a-elsewhere", { ...elsewhere, title: "Seen again by another worker" });
  await page.clock.fastForward(30_000);
  await page.getByRole("link", { name: /Seen again by another worker/ }).waitFor();
});

test("text of an attacker stays text", async (t) => {
  const mock = await mocked(t);
  mock.state.dependents.list[0].name = HOSTILE;
  mock.state.activity.principals[0].principal = HOSTILE;
  mock.state.logging[0].destinations[0].name = HOSTILE;
  mock.state.reasons[HOSTILE] = HOSTILE;
  const page = await visit(t, mock.address);
  for (const view of [...VIEWS, "alert=a-hostile"]) {
    await page.goto(`${mock.address}/#${view}`);
    await heading(page).waitFor();
    assert.equal(await page.evaluate(() => window.hacked), undefined);
    assert.equal(await page.locator("main img, main script, main b, main i, [href^=javascript]").count(), 0);
    assert.ok(!/[\u001b\u202e]/.test(await page.locator("body").innerText()), "characters that hide are written out");
    await checkFits(page, view);
  }
});

test("without a key nothing changes; with one, silence and resolve", async (t) => {
  const mock = await mocked(t, { keys: true });
  const page = await visit(t, mock.address, { allowed: /40[01]|403/ });
  const dialog = page.getByRole("dialog");
  const give = async (key) => {
    await dialog.getByLabel("API key", { exact: true }).fill(key);
    await dialog.getByRole("button", { name: /key|Allow/ }).click();
  };
  await page.getByRole("button", { name: "Give a key…" }).click();
  await give("wrong");
  await dialog.getByText("An API key is needed").waitFor();
  await checkAccessible(page, "the dialog with an error");
  await give("read-0123456789");
  await page.getByRole("button", { name: "Read-only" }).waitFor();
  await page.goto(`${mock.address}/#alert=a-burst`);
  await page.getByRole("button", { name: "Silence…" }).click();
  await dialog.getByLabel("Your name").fill("Ana");
  await give("read-0123456789");
  await dialog.getByText("can only read").waitFor();
  await give("write-0123456789");
  await dialog.getByRole("heading", { name: "Silence" }).waitFor();
  await dialog.getByLabel(/this rule about/).check();
  await dialog.getByLabel("Why").fill("refuse me");
  await dialog.getByRole("button", { name: "Silence" }).click();
  await dialog.getByText("more than 90 days ahead").waitFor();
  await dialog.getByLabel("Why").fill("change 42");
  await dialog.getByRole("button", { name: "Silence" }).click();
  await page.getByText("Silences: 1").waitFor();
  await page.getByRole("link", { name: /firing, silenced .*Burst/ }).waitFor();
  const silenced = mock.posts.at(-1).body;
  assert.deepEqual(
    { ...silenced, ends_at: null },
    {
      rule: "invocation-burst",
      account: "111122223333",
      subject: "arn:aws:iam::111122223333:user/ml-batch",
      ends_at: null,
      author: "Ana",
      reason: "change 42",
    },
  );
  const hours = (Date.parse(silenced.ends_at) - Date.now()) / 3_600_000;
  assert.ok(hours > 0.9 && hours <= 1, `it lasts ${hours} h`);
  await page.getByRole("button", { name: "Resolve…" }).click();
  await dialog.getByLabel("Why is it over?").fill("the key is off");
  await dialog.getByRole("button", { name: "Resolve" }).click();
  await page.getByText("Resolved by Ana").waitFor();
  assert.deepEqual(mock.posts.at(-1).body, { author: "Ana", reason: "the key is off" });
  await page.getByRole("button", { name: /End the silence/ }).click();
  await dialog.getByRole("button", { name: "End it now" }).click();
  await page.getByText("Silences: 1").waitFor({ state: "detached" });
  assert.equal(
    await page.evaluate(() => JSON.stringify({ ...sessionStorage, ...localStorage }).includes("write-0123456789")),
    false,
  );
  await page.getByRole("button", { name: /Acting as Ana/ }).click();
  await page.getByRole("button", { name: "Give a key…" }).waitFor();
});

test("a key can be kept until the tab is closed", async (t) => {
  const mock = await mocked(t, { keys: true });
  const page = await visit(t, mock.address, { allowed: /401/ });
  await page.getByRole("button", { name: "Give a key…" }).click();
  await page.getByLabel("API key", { exact: true }).fill("read-0123456789");
  await page.getByLabel("until this tab is closed").check();
  await page.getByRole("button", { name: "Use the key" }).click();
  await page.getByRole("heading", { name: "Firing now: 4" }).waitFor();
  await page.reload();
  await page.getByRole("heading", { name: "Firing now: 4" }).waitFor();
  assert.equal(await page.evaluate(() => localStorage.length), 0, "nothing on disk");
});

test("where no key is needed, a name is enough, and Cancel does nothing", async (t) => {
  const mock = await mocked(t);
  const page = await visit(t, mock.address, { hash: "#alert=a-burst" });
  await isReady(page);
  await page.getByRole("button", { name: "Resolve…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("button", { name: "Read-only" }).click();
  await page.getByLabel("Your name").fill("Ben");
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: /Acting as Ben/ }).waitFor();
  assert.deepEqual(mock.posts, []);
});

test("the keyboard reaches everything in order, and comes back from a dialog", async (t) => {
  const mock = await mocked(t);
  const page = await visit(t, mock.address);
  await isReady(page);
  const focused = () =>
    page.evaluate(() => document.activeElement.innerText?.split("\n")[0].trim() || document.activeElement.id);
  const press = async (key) => (await page.keyboard.press(key), focused());
  assert.equal(await press("Tab"), "Skip to content");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main");
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press("Shift+Tab");
  const walked = [];
  await page.locator(".skip").focus();
  for (let step = 0; step < 9; step += 1) walked.push((await press("Tab")).replace(/\s.*/, ""));
  assert.deepEqual(walked, [
    "bedrock-watch",
    "Alerts",
    "Incidents",
    "Dependencies",
    "Activity",
    "Logging",
    "Health",
    "Read-only",
    "Health",
  ]);
  await press("Tab");
  await page.keyboard.press("Enter");
  await page.waitForURL(/#alert=a-logging/);
  await page.waitForFunction(() => document.activeElement?.id === "story-title");
  await page.getByRole("button", { name: "Resolve…" }).focus();
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.activeElement?.name === "author");
  await page.keyboard.press("Escape");
  assert.equal(await focused(), "Resolve…");
  const shown = await page
    .getByRole("button", { name: "Resolve…" })
    .evaluate((button) => getComputedStyle(button).outlineStyle);
  assert.equal(shown, "solid", "the focus is seen");
});

test("a command is copied as it is", async (t) => {
  const mock = await mocked(t);
  const page = await visit(t, mock.address, { hash: "#alert=a-burst" });
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.getByRole("button", { name: /^Copy: If this was not meant/ }).click();
  await page.locator("#said-politely", { hasText: "Copied" }).waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), alert("x", {}).remediation[0].command);
});

test("where there is nothing, the page teaches", async (t) => {
  const mock = await mocked(t, { empty: true });
  const page = await visit(t, mock.address);
  await page.getByText("No events yet.").waitFor();
  await page.getByText("bedrock-watch demo").waitFor();
  for (const view of ["incidents", "dependencies", "activity", "logging", "health"]) {
    await page.goto(`${mock.address}/#${view}`);
    await heading(page).waitFor();
    await checkAccessible(page, `${view}, empty`);
  }
});

test("pictures say in words what they show", async (t) => {
  const mock = await mocked(t);
  const page = await visit(t, mock.address, { hash: "#dependencies" });
  await page
    .getByRole("img", { name: /4 dependents on 7 resources, 1 broken: security_group:sg-0a1b2c3d4e5f60718/ })
    .waitFor();
  assert.equal(await page.locator("svg .box.lost").count(), 2);
  assert.equal(await page.locator("svg .line.lost").count(), 1);
  await page.getByRole("link", { name: "critical: customization-job-security-group-deleted" }).waitFor();
  await page.goto(`${mock.address}/#activity`);
  await page
    .getByRole("img", {
      name: /ml-batch: 563 calls in 60 minutes, at most 130 a minute; no baseline yet; 3 minutes of a burst/,
    })
    .waitFor();
  assert.equal(await page.locator("svg .burst-mark").count(), 3);
  assert.equal(await page.locator("svg .baseline").count(), 4);
});
