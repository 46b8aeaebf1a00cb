// The pinned Chromium of the npm package `@sparticuz/chromium` with pinned fonts, so that the tests see the same on
// every machine. `PACKAGES` names the folder where package.json is installed. Nothing of the machine's own browser is
// used, and none of the libraries that a browser installs beside itself (NSS, NSPR, Expat): the package brings them.

import { mkdtemp, rename, rm, stat, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

const PACKAGES = process.env.PACKAGES;
if (!PACKAGES) throw new Error("PACKAGES must name the folder where tests/console/package.json is installed");
const installed = createRequire(join(PACKAGES, "package.json"));
const unpacked = join(PACKAGES, "chromium");
const libraries = join(unpacked, "al2023/lib");

/** Starts it. None of the switches that packagers of browsers like is used: the page's policy must count. */
export async function launch() {
  await unpack();
  const { chromium } = installed("playwright-core");
  const env = { ...process.env, FONTCONFIG_FILE: await fonts(), LD_LIBRARY_PATH: libraries };
  try {
    return await chromium.launch({ executablePath: join(unpacked, "chromium"), chromiumSandbox: false, env });
  } catch (error) {
    throw new Error(`the browser of @sparticuz/chromium does not start; is this Linux on x86-64? ${error.message}`);
  }
}

/** Unpacks it once, beside the packages. It is there whole or not at all, whoever else does the same at the same time. */
async function unpack() {
  if (await stat(unpacked).catch(() => null)) return;
  const folder = await mkdtemp(join(PACKAGES, "unpacking-"));
  const { TMPDIR } = process.env;
  // Where the package unpacks to.
  process.env.TMPDIR = folder;
  const entry = installed.resolve("@sparticuz/chromium");
  const { default: packed, inflate } = await import(pathToFileURL(entry));
  await packed.executablePath();
  await inflate(join(dirname(entry), "../bin/al2023.tar.br"));
  if (TMPDIR === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = TMPDIR;
  await rename(folder, unpacked).catch(() => rm(folder, { recursive: true }));
}

/** The text of axe, which runs in the page. */
export const axe = () => installed("axe-core").source;

async function fonts() {
  const file = join(unpacked, "fonts.conf");
  const dejavu = join(PACKAGES, "node_modules/dejavu-fonts-ttf/ttf");
  const prefer = (family, wanted) =>
    `<alias binding="same"><family>${family}</family><prefer><family>${wanted}</family></prefer></alias>`;
  await writeFile(
    file,
    `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>
<dir>${dejavu}</dir><dir>${join(unpacked, "fonts")}</dir><cachedir>${join(unpacked, "fonts-cache")}</cachedir>
${prefer("system-ui", "Open Sans")}${prefer("sans-serif", "Open Sans")}${prefer("monospace", "DejaVu Sans Mono")}</fontconfig>`,
  );
  return file;
}
