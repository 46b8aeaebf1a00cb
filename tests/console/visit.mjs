// Opens the console as a person would, and notes everything that should not happen: errors, requests to elsewhere.

import assert from "node:assert/strict";

import { axe, launch } from "./browser.mjs";

const WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
let browser = null;
const ends = new WeakMap();

/** Does `ending` when the test is over, the last one first: a page goes before the service it looks at. */
export function atEnd(t, ending) {
  if (!ends.has(t)) {
    ends.set(t, []);
    t.after(async () => {
      for (const one of ends.get(t).reverse()) await one();
    });
  }
  ends.get(t).push(ending);
}

/** A page at `address`. `allowed` are messages on the console that the test provokes. */
export async function visit(
  t,
  address,
  { scheme = "light", width = 1280, height = 800, allowed = /(?!)/, hash = "" } = {},
) {
  browser ??= await launch();
  const context = await browser.newContext({
    colorScheme: scheme,
    viewport: { width, height },
    reducedMotion: "reduce",
  });
  const page = await context.newPage();
  const faults = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type()) && !allowed.test(message.text())) faults.push(message.text());
  });
  page.on("pageerror", (error) => faults.push(error.stack));
  page.on("request", (request) => {
    if (!request.url().startsWith(`${address}/`)) faults.push(`a request to ${request.url()}`);
  });
  atEnd(t, async () => {
    await context.close();
    assert.deepEqual(faults, [], "errors of the page");
  });
  await page.goto(`${address}/${hash}`);
  return page;
}

/** Ends the browser. */
export async function leave() {
  await browser?.close();
  browser = null;
}

/** Fails when the page, as it is, breaks a rule of WCAG 2.2 AA or a common good habit that axe can check. */
export async function checkAccessible(page, what) {
  await page.evaluate(axe());
  const { violations } = await page.evaluate(
    (tags) => globalThis.axe.run(document, { runOnly: tags, resultTypes: ["violations"] }),
    WCAG,
  );
  const said = violations.flatMap(({ id, help, nodes }) =>
    nodes.map((node) => `${id} (${help}): ${node.html} ${node.failureSummary}`),
  );
  assert.deepEqual(said, [], `${what} is not accessible`);
}

/** Fails when something is wider than the window. */
export async function checkFits(page, what) {
  const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(content <= window, `${what} is ${content} wide in a window of ${window}`);
}
