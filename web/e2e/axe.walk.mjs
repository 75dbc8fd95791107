// @ts-check
// Every page, in every state of it that matters, as axe-core sees it: both languages, light and dark, phone and desktop.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { WRONG_TOKEN } from "./server.mjs";
import { askToCancel, call, callButton, fill, money, poison, rideIs, row, says, signIn, story, take } from "./ways.mjs";
import { AWAY, SIZES, walk } from "./world.mjs";

/** @typedef {import("./ways.mjs").Somebody} Somebody */
/** @typedef {import("./words.mjs").Tag} Tag */

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/**
 * Each language with each size and with each scheme, over the two of them each size with each scheme.
 * @type {Record<Tag, { scheme: "light" | "dark", size: "phone" | "desktop" }[]>}
 */
const LOOKS = {
  ko: [
    { scheme: "light", size: "phone" },
    { scheme: "dark", size: "desktop" },
  ],
  en: [
    { scheme: "dark", size: "phone" },
    { scheme: "light", size: "desktop" },
  ],
};

for (const language of /** @type {const} */ (["ko", "en"])) {
  walk(`the rider's page is for everybody: ${language}`, async (world) => {
    const rider = await world.open("rider", { language });
    const { page, words, person } = rider;
    person.expects(/status of (409|422)/);
    person.expects(AWAY);
    const fare = money(100_000, language);
    await page.getByText(words.rider.noHistory).waitFor();
    await isForEverybody(rider, "the form");
    await page.getByLabel(words.rider.distance, { exact: true }).fill("0");
    await page.getByRole("status").filter({ hasText: /./ }).first().waitFor();
    await isForEverybody(rider, "a distance that cannot be");
    await fill(rider, { distance: "150" });
    await says(rider, words.rider.tooFar);
    await isForEverybody(rider, "too far");
    await fill(rider, { distance: "10", method: "test:unheard-of" });
    await callButton(rider, 100_000).click();
    await page.getByRole("alert").filter({ hasText: words.problem.requestId }).waitFor();
    await isForEverybody(rider, "refused in the server's words");
    await call(rider, { method: "test:late=60000" });
    await rideIs(rider, "paying");
    await isForEverybody(rider, "a ride that is paid for");
    await askToCancel(rider, words.rider.cancelUntaken);
    await isForEverybody(rider, "the question whether to cancel");
    await page.getByRole("dialog").getByRole("button", { name: words.rider.cancelYes, exact: true }).click();
    await rideIs(rider, "off");
    await isForEverybody(rider, "a ride that is off");
    await call(rider, { method: "test:refused" });
    await rideIs(rider, "refused");
    await isForEverybody(rider, "a payment that is refused");
    await call(rider);
    await rideIs(rider, "underWay");
    await isForEverybody(rider, "a ride under way");
    await page.getByRole("button", { name: words.rider.another }).click();
    await isForEverybody(rider, "another call beside it");
    await world.server.post("/drives/end", { driveId: 3 });
    await rideIs(rider, "arrived");
    await says(rider, words.rider.cost.paid(fare));
    await isForEverybody(rider, "arrived");
    await story(rider, 3, 4);
    await isForEverybody(rider, "a story");
    await page.getByRole("link", { name: words.back }).click();
    let isLost = true;
    await page.route("**/calls", (route) => (isLost ? route.abort() : route.continue()));
    await call(rider, { distance: "20" });
    const unanswered = page.getByRole("region", { name: words.rider.unanswered });
    await unanswered.getByText(words.problem.unreachable).waitFor();
    await isForEverybody(rider, "a call that nobody answers");
    isLost = false;
    await rideIs(rider, "underWay");
    await says(rider, words.live.on);
    await world.server.kill();
    await page.getByText(new RegExp(words.live.off(".+"))).waitFor();
    await isForEverybody(rider, "the server is away");
  });

  walk(`the driver's page is for everybody: ${language}`, async (world) => {
    await world.server.call({}, "driveStart");
    await world.server.call({ distance: 150 }, "refunded");
    const driver = await world.open("driver", { language });
    const { page, words, person } = driver;
    person.expects(/404 \(Not Found\)/);
    await page.getByText(words.driver.ask).waitFor();
    await isForEverybody(driver, "the form");
    await take(driver, 4711);
    await says(driver, words.driver.unknown(4711));
    await isForEverybody(driver, "a drive that is unknown");
    await take(driver, 2);
    await page.getByRole("heading", { name: words.driver.none.returned }).waitFor();
    await isForEverybody(driver, "no drive");
    await take(driver, 1);
    await page.getByRole("button", { name: words.driver.end, exact: true }).click();
    await isForEverybody(driver, "the question whether to end");
    await page.getByRole("button", { name: words.driver.endNo, exact: true }).click();
    await isForEverybody(driver, "a drive under way");
    await world.server.post("/drives/end", { driveId: 1 });
    await says(driver, words.driver.done(money(100_000, language)));
    await isForEverybody(driver, "a drive that is over");
  });

  walk(`the operator's page is for everybody: ${language}`, async (world) => {
    await poison(world.server);
    const operator = await world.open("operator", { language });
    const { page, words, person } = operator;
    const { letters, health } = words.console;
    person.expects(/401 \(Unauthorized\)/);
    const field = page.getByLabel(words.console.token, { exact: true });
    await field.waitFor();
    await isForEverybody(operator, "signed out");
    await field.fill(WRONG_TOKEN);
    await page.getByRole("button", { name: words.console.enter, exact: true }).click();
    await page.getByRole("alert").filter({ hasText: words.problem.requestId }).waitFor();
    await isForEverybody(operator, "a wrong token");
    await signIn(operator);
    await row(operator, 1).waitFor();
    await isForEverybody(operator, "the list");
    await row(operator, 1).click();
    await page.getByRole("complementary").getByRole("article").first().waitFor();
    await page.getByLabel(words.console.notesToo).check();
    await isForEverybody(operator, "a call's story");
    await page.getByRole("button", { name: words.console.cancel }).click();
    await isForEverybody(operator, "the question whether to cancel");
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: words.close, exact: true }).click();
    await page.getByRole("searchbox").fill("nobody is called so");
    await says(operator, words.console.empty);
    await isForEverybody(operator, "nothing found");
    await page.getByRole("button", { name: words.console.keys }).click();
    await isForEverybody(operator, "the keys");
    await page.keyboard.press("Escape");
    await page.getByRole("link", { name: words.console.tabs.now, exact: true }).click();
    await world.server.call({}, "driveStart");
    await page.getByRole("region", { name: words.console.events }).getByRole("listitem").first().waitFor();
    await page.getByText(words.console.plots.rateTable).click();
    await isForEverybody(operator, "now");
    await page.getByRole("link", { name: words.console.tabs.letters }).click();
    await page.getByRole("article").first().getByText(letters.content).click();
    await isForEverybody(operator, "dead letters");
    await page.getByRole("button", { name: letters.skip }).first().click();
    await page.getByRole("dialog").getByLabel(letters.reason).fill("x");
    await isForEverybody(operator, "the question whether to skip");
    await page.keyboard.press("Escape");
    await page.getByRole("link", { name: words.console.tabs.health, exact: true }).click();
    await page.getByRole("button", { name: health.auditRun }).click();
    await page.getByText(words.console.returned, { exact: true }).waitFor();
    await isForEverybody(operator, "health");
  });
}

/**
 * @param {Somebody} somebody
 * @param {string} state
 */
async function isForEverybody({ page, tag }, state) {
  assert.equal(await page.evaluate(() => document.documentElement.lang), tag);
  assert.match(await page.title(), /\S/);
  for (const { scheme, size } of LOOKS[tag]) {
    await page.emulateMedia({ colorScheme: scheme });
    await page.setViewportSize(SIZES[size]);
    await page.evaluate(AXE);
    const { violations, passes } = await page.evaluate(() => /** @type {any} */ (window).axe.run(document, { resultTypes: ["violations"] }));
    const told = violations.map((/** @type {any} */ each) => {
      const nodes = each.nodes.map((/** @type {any} */ node) => `${node.html}\n    ${node.failureSummary}`);
      return `${each.id}: ${each.help}\n  ${nodes.join("\n  ")}`;
    });
    assert.equal(told.join("\n"), "", `${state}, ${scheme}, ${size}`);
    assert(passes.length > 10, "it looked at something");
    const isCut = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth + 1);
    assert(!isCut, `${state}, ${scheme}, ${size}: the page is wider than its window`);
  }
}
