// @ts-check
// What is pressed twice, sent twice or answered to nobody is done once.
import assert from "node:assert/strict";
import { until } from "./process.mjs";
import { call, callButton, fill, rideIs, says, take } from "./ways.mjs";
import { AWAY, walk } from "./world.mjs";

/** @typedef {import("playwright-core").Page} Page */

walk("a call that is pressed twice is one call", async (world) => {
  const rider = await world.open("rider");
  await fill(rider);
  await callButton(rider, 100_000).dblclick();
  await rideIs(rider, "underWay");
  assert.equal(await world.server.calls(), 1);
  // Also by those who are faster than any page.
  await rider.page.getByRole("button", { name: rider.words.rider.another }).click();
  await fill(rider, { distance: "20" });
  await callButton(rider, 200_000).evaluate((button) => {
    for (let press = 0; press < 5; press += 1) /** @type {HTMLButtonElement} */ (button).click();
  });
  await until("the second call", async () => (await world.server.calls()) === 2);
  await rider.page.getByRole("article").nth(1).waitFor();
  assert.equal(await world.server.calls(), 2);
});

walk("an end that is pressed twice is one end", async (world) => {
  await world.server.call({}, "driveStart");
  const driver = await world.open("driver");
  await take(driver, 1);
  const sent = countOf(driver.page, "/drives/end");
  await driver.page.getByRole("button", { name: driver.words.driver.end, exact: true }).click();
  await driver.page.getByRole("dialog").getByRole("button", { name: driver.words.driver.endYes, exact: true }).dblclick();
  await says(driver, driver.words.driver.done("100,000원"));
  assert.equal(sent.length, 1);
});

walk("a call whose answer is lost is sent again under its key, and is one call", async (world) => {
  const rider = await world.open("rider", { language: "en" });
  rider.person.expects(AWAY);
  const sent = countOf(rider.page, "/calls");
  await lose(rider.page, "/calls", 2);
  await call(rider);
  await rideIs(rider, "underWay");
  assert.deepEqual([sent.length, new Set(sent).size, sent.includes("")], [3, 1, false]);
  assert.equal(await world.server.calls(), 1);
});

walk("a call during which the service is killed is sent again to the next process, and is one call", async (world) => {
  const rider = await world.open("rider");
  rider.person.expects(AWAY);
  const sent = countOf(rider.page, "/calls");
  await lose(rider.page, "/calls", 1, async () => {
    await world.server.kill();
    await world.server.begin();
  });
  await call(rider);
  await rideIs(rider, "underWay");
  assert.equal(new Set(sent).size, 1);
  assert(sent.length > 1);
  assert.equal(await world.server.calls(), 1);
});

walk("a call that nobody answers is asked for again by itself: it is one call, whether it had arrived or not", async (world) => {
  const rider = await world.open("rider");
  const { page, words, person } = rider;
  person.expects(AWAY);
  const sent = countOf(page, "/calls");
  const line = await lose(page, "/calls", Infinity);
  await call(rider);
  const unanswered = page.getByRole("region", { name: words.rider.unanswered });
  await unanswered.getByText(words.rider.unansweredSays).waitFor();
  await unanswered.getByText(words.problem.unreachable).waitFor();
  // It did arrive, as the page said it might have; and no other is made before that is known.
  assert.equal(await world.server.calls(), 1);
  assert.equal(await callButton(rider, 100_000).count(), 0);
  line.times = 0;
  await rideIs(rider, "underWay");
  assert.deepEqual([new Set(sent).size, await world.server.calls()], [1, 1]);
});

walk("a call that nobody answered for long is asked for again by its rider, and is one call", async (world) => {
  const rider = await world.open("rider", { isBlank: true });
  const { page, words, person } = rider;
  person.expects(AWAY);
  await page.clock.install();
  await page.goto(person.address);
  const sent = countOf(page, "/calls");
  const line = await lose(page, "/calls", Infinity);
  await call(rider);
  const unanswered = page.getByRole("region", { name: words.rider.unanswered });
  await unanswered.getByText(words.problem.unreachable).waitFor();
  await page.clock.fastForward("05:00");
  const ask = unanswered.getByRole("button", { name: words.rider.unansweredAsk });
  await until("it to be left to the rider", async () => (await ask.isEnabled()) && (await unanswered.getByText(words.problem.unreachable).isVisible()));
  line.times = 0;
  await ask.click();
  await rideIs(rider, "underWay");
  assert.deepEqual([new Set(sent).size, await world.server.calls()], [1, 1]);
});

walk("a call that nobody answers is cancelled for certain", async (world) => {
  const rider = await world.open("rider", { language: "en" });
  const { page, words, person } = rider;
  person.expects(AWAY);
  const line = await lose(page, "/calls", Infinity);
  await call(rider);
  const unanswered = page.getByRole("region", { name: words.rider.unanswered });
  await unanswered.getByRole("button", { name: words.rider.cancel, exact: true }).click();
  line.times = 0;
  await rideIs(rider, "returned");
  await says(rider, words.rider.cost.returned("₩100,000"));
  assert.equal(await world.server.calls(), 1);
});

walk("a call that nobody answered is taken up again when the page is opened anew", async (world) => {
  const rider = await world.open("rider");
  const { page, person } = rider;
  person.expects(AWAY);
  const sent = countOf(page, "/calls");
  await lose(page, "/calls", 1, async () => void page.reload());
  await call(rider);
  await rideIs(rider, "underWay");
  assert.deepEqual([new Set(sent).size, await world.server.calls()], [1, 1]);
});

/**
 * The keys of all that is posted there from now on.
 * @param {Page} page
 * @param {string} path
 */
function countOf(page, path) {
  /** @type {string[]} */
  const keys = [];
  page.on("request", (request) => {
    const isThat = request.method() === "POST" && new URL(request.url()).pathname === path;
    if (isThat) keys.push(request.headers()["idempotency-key"] ?? "");
  });
  return keys;
}

/**
 * Has the server take what is posted there, and loses so many of its answers; how many more, may be set anew.
 * @param {Page} page
 * @param {string} path
 * @param {number} times
 * @param {() => Promise<void>} [meanwhile]
 */
async function lose(page, path, times, meanwhile) {
  const line = { times };
  await page.route(
    (url) => url.pathname === path,
    async (route) => {
      if (route.request().method() !== "POST" || line.times === 0) return route.continue();
      line.times -= 1;
      const answer = await route.fetch();
      assert(answer.ok());
      await meanwhile?.();
      await route.abort().catch(() => undefined);
    },
  );
  return line;
}
