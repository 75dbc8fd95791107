// @ts-check
// Takes the pictures of the documents: TAXISVC_BINARY=target/debug/taxisvc node web/e2e/screenshots.mjs docs/images
import { join } from "node:path";
import { until } from "./process.mjs";
import { Server } from "./server.mjs";
import { call, fill, money, rideIs, row, says, signIn, story } from "./ways.mjs";
import { World, closeBrowser } from "./world.mjs";

/** @typedef {import("./world.mjs").Manner} Manner */
/** @typedef {import("playwright-core").Page} Page */

const folder = process.argv[2];
if (folder === undefined) throw new Error("where do the pictures go?");

/**
 * @param {Page} page
 * @param {string} name
 */
async function picture(page, name) {
  await page.mouse.move(0, 0);
  await page.screenshot({ path: join(/** @type {string} */ (folder), `${name}.png`), animations: "disabled", caret: "hide" });
  console.log(name);
}

/**
 * A rider's pages, and the driver's who takes them.
 * @param {World} world
 * @param {Manner} manner
 * @param {string} suffix
 * @param {boolean} isWhole
 */
async function ride(world, manner, suffix, isWhole) {
  const name = manner.language === "en" ? "Mina" : "김어진";
  const rider = await world.open("rider", manner);
  await fill(rider, { distance: "12.5", name });
  await says(rider, money(125_000, rider.tag));
  await picture(rider.page, `rider-call${suffix}`);
  await call(rider, { distance: "12.5", name });
  await rideIs(rider, "underWay");
  const number = await world.server.calls();
  await picture(rider.page, `rider-ride${suffix}`);
  if (!isWhole) return;
  const driver = await world.open("driver", manner);
  await driver.page.goto(`${world.server.origin}/driver#${number}`);
  await driver.page.getByRole("heading", { name: driver.words.driver.none.underWay }).waitFor();
  await picture(driver.page, `driver${suffix}`);
  await world.server.post("/drives/end", { driveId: number });
  await rideIs(rider, "arrived");
  await story(rider, number, 4);
  await picture(rider.page, `rider-story${suffix}`);
}

const NAMES = ["김서연", "이도윤", "박지호", "최하은", "정민준", "강수아", "조은우", "윤지안", "장서준", "임채원"];

/**
 * A town that has been busy for a while.
 * @param {Server} server
 */
async function town(server) {
  for (let number = 1; number <= 60; number += 1) {
    const userName = /** @type {string} */ (NAMES[(number * 7) % NAMES.length]);
    const distance = number % 13 === 0 ? 150 : 2 + ((number * 37) % 240) / 10;
    const vice = number % 17 === 0 ? "test:refused" : number > 57 ? "test:late=600000" : number % 5 === 0 ? "test:late=900" : null;
    const { callId } = await server.post("/calls", { userId: userName, userName, distance, ...(vice ? { paymentMethod: vice } : {}) });
    if (number > 57 || number % 13 === 0 || number % 17 === 0) continue;
    await server.comesTo(callId, "driveStart");
    if (number % 11 === 0) await server.post("/calls/cancel", { callId });
    else if (number % 3 !== 0 || number < 30) await server.post("/drives/end", { driveId: callId });
  }
}

/**
 * @param {World} world
 * @param {Manner} manner
 * @param {string} suffix
 * @param {boolean} isWhole
 */
async function desk(world, manner, suffix, isWhole) {
  const operator = await world.open("operator", manner);
  const { page, words } = operator;
  await signIn(operator);
  await row(operator, 60).waitFor();
  await picture(page, `console${suffix}`);
  if (isWhole) {
    await row(operator, 57).click();
    await page.getByRole("complementary").getByText(words.console.stepsTitle).waitFor();
    await picture(page, `console-call${suffix}`);
    await page.getByRole("button", { name: words.close, exact: true }).click();
  }
  await page.getByRole("link", { name: words.console.tabs.now, exact: true }).click();
  const feed = page.getByRole("region", { name: words.console.events }).getByRole("listitem");
  for (let number = 0; number < 3; number += 1) {
    const callId = await world.server.call({ userName: "김서연", distance: 4.2 }, "driveStart");
    await world.server.post("/drives/end", { driveId: callId });
  }
  await until("some events", async () => (await feed.count()) > 15);
  await picture(page, `console-now${suffix}`);
}

const world = new World(await Server.start());
try {
  await ride(world, { language: "ko" }, "", true);
  await ride(world, { language: "en", dark: true }, "-en-dark", false);
} finally {
  await world.end();
}
const busy = new World(await Server.start());
try {
  await town(busy.server);
  await desk(busy, { language: "ko" }, "", true);
  await desk(busy, { language: "en", dark: true }, "-en-dark", false);
} finally {
  await busy.end();
  await closeBrowser();
}
