// The console before the real daemon, into which the demo's attack is being played. `CONSOLE` is its address; pictures
// of what it shows are kept in `PICTURES`.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";

import { POLICY } from "./mock.mjs";
import { checkAccessible, checkFits, leave, visit } from "./visit.mjs";

const { CONSOLE, PICTURES } = process.env;
const ATTACK_MS = 120_000;
after(leave);

const shoot = (page, name) => page.screenshot({ path: join(PICTURES, `${name}.png`), scale: "css" });
const heading = (page) => page.locator("main h1");

test("an attack appears while it happens, and its whole story after it", { timeout: 300_000 }, async (t) => {
  const page = await visit(t, CONSOLE, { height: 900 });
  const response = await page.reload();
  assert.equal(response.headers()["content-security-policy"], POLICY, "the daemon sends what the mock does");
  await page.getByText("Live", { exact: true }).waitFor();
  const deleted = page.getByRole("link", { name: /critical firing .*[Ss]ecurity group/ });
  await deleted.waitFor({ timeout: ATTACK_MS });
  // An hour of the recording later the burst has left the charts.
  await page.goto(`${CONSOLE}/#activity`);
  await page.getByRole("img", { name: /ml-batch: .* of a burst/ }).waitFor({ timeout: ATTACK_MS });
  await shoot(page, "activity-light");
  await checkAccessible(page, "activity");
  await page.goto(`${CONSOLE}/#alerts`);
  await page.getByRole("link", { name: /Burst of Bedrock invocations/ }).waitFor({ timeout: ATTACK_MS });
  await page
    .getByRole("link", { name: /logging/i })
    .last()
    .waitFor({ timeout: ATTACK_MS });

  await deleted.click();
  await page.getByRole("heading", { name: "What to do" }).waitFor();
  await page
    .locator(".timeline")
    .getByText(/Fired, critical/)
    .waitFor();
  await checkAccessible(page, "the story of an alert");
  await shoot(page, "alerts-light");
  for (const scheme of ["light", "dark"]) await views(page, scheme);
});

async function views(page, scheme) {
  await page.emulateMedia({ colorScheme: scheme });
  await page.goto(`${CONSOLE}/#incidents`);
  await page
    .getByRole("link", { name: /ml-batch|Bedrock|and \d+ more/ })
    .first()
    .click();
  await page.getByRole("heading", { name: /What happened/ }).waitFor();
  await looked(page, "incident", scheme);

  await page.goto(`${CONSOLE}/#dependencies`);
  await page.getByRole("img", { name: /broken: security_group:sg-0a1b2c3d4e5f60718/ }).waitFor();
  await looked(page, "dependencies", scheme);

  await page.goto(`${CONSOLE}/#logging`);
  await page.getByRole("rowheader", { name: "111122223333" }).first().waitFor();
  await looked(page, "logging", scheme);

  await page.goto(`${CONSOLE}/#health`);
  await page.getByRole("rowheader", { name: "store" }).waitFor();
  await looked(page, "health", scheme);
}

async function looked(page, name, scheme) {
  await checkAccessible(page, `${name} (${scheme})`);
  await checkFits(page, name);
  await shoot(page, `${name}-${scheme}`);
}

test("silence and resolve reach the daemon", { timeout: 300_000 }, async (t) => {
  const page = await visit(t, CONSOLE);
  const dialog = page.getByRole("dialog");
  await page.getByRole("link", { name: /critical firing .*[Ss]ecurity group/ }).click({ timeout: ATTACK_MS });
  await page.getByRole("button", { name: "Silence…" }).click();
  await dialog.getByLabel("Your name").fill("Ana");
  await dialog.getByRole("button", { name: "Allow actions" }).click();
  await dialog.getByLabel("Why").fill("change 42");
  await shoot(page, "silence-light");
  await dialog.getByRole("button", { name: "Silence" }).click();
  await page.getByRole("heading", { name: "Silences: 1" }).waitFor();
  await page.getByRole("button", { name: "Resolve…" }).click();
  await dialog.getByLabel("Why is it over?").fill("the group is back");
  await dialog.getByRole("button", { name: "Resolve" }).click();
  await page.getByText("Resolved by Ana").waitFor();
  assert.equal(await heading(page).innerText(), "Alerts");
});
