// @ts-check
// What travels until a page is at rest for somebody who was never there, and when something is seen of it. Run by itself it
// prints the figures of all pages: TAXISVC_BINARY=target/release/taxisvc node web/e2e/first-load.mjs
import { fileURLToPath } from "node:url";
import { Server } from "./server.mjs";
import { World, closeBrowser } from "./world.mjs";

/** @typedef {import("./world.mjs").Role} Role */

/**
 * @param {World} world
 * @param {Role} role
 */
export async function firstLoad(world, role) {
  const { page, person } = await world.open(role, { size: "phone", isBlank: true });
  const session = await person.context.newCDPSession(page);
  await session.send("Network.enable");
  let bytes = 0;
  let files = 0;
  // Heads and bodies, as they travel.
  session.on("Network.loadingFinished", (event) => {
    bytes += event.encodedDataLength;
    files += 1;
  });
  await page.goto(person.address, { waitUntil: "networkidle" });
  const paintMs = Math.round(
    await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? Number.NaN),
  );
  const told = `${role}: ${files} files, ${(bytes / 1_000).toFixed(1)} kB over the wire, first contentful paint after ${paintMs} ms`;
  await person.context.close();
  return { bytes, files, paintMs, told };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const world = new World(await Server.start());
  try {
    for (const role of /** @type {const} */ (["rider", "driver", "operator"])) console.log((await firstLoad(world, role)).told);
  } finally {
    await world.end();
    await closeBrowser();
  }
}
