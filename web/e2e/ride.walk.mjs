// @ts-check
// Rides, as riders and drivers go through them on their pages.
import assert from "node:assert/strict";
import { UNSAID, askToCancel, call, callButton, cancel, endRide, fill, isRefused, money, rideIs, says, story, take } from "./ways.mjs";
import { walk } from "./world.mjs";

walk("a ride is completed: the fare is said before, the taxi comes and the end is seen without reloading", async (world) => {
  const rider = await world.open("rider");
  const { page, words } = rider;
  const fare = money(100_000, "ko");
  await fill(rider);
  await callButton(rider, 100_000).waitFor();
  await says(rider, fare);
  assert.equal(await world.server.calls(), 0, "nothing is taken before it is wanted");
  await callButton(rider, 100_000).click();
  await rideIs(rider, "underWay");
  await says(rider, new RegExp(`^${words.rider.taxi} ?1111$`));
  await says(rider, "driver1111");
  await says(rider, words.rider.cost.held(fare));
  await page.getByRole("listitem").filter({ hasText: words.steps.underWay }).and(page.locator("[aria-current=step]")).waitFor();

  const driver = await world.open("driver", { language: "en" });
  await take(driver, 1);
  await says(driver, "어진");
  await says(driver, "₩100,000");
  await driver.page.getByRole("button", { name: driver.words.driver.end }).click();
  await driver.page.getByRole("dialog").getByText(driver.words.driver.endSays("₩100,000")).waitFor();
  await driver.page.getByRole("button", { name: driver.words.driver.endNo }).click();
  await driver.page.getByRole("link", { name: driver.words.driver.other }).click();
  await endRide(driver, 1);
  await says(driver, driver.words.driver.done("₩100,000"));

  await rideIs(rider, "arrived");
  await says(rider, words.rider.cost.paid(fare));
  assert.deepEqual(await story(rider, 1, 4), [
    words.line.requested({ ...UNSAID, distance: "10km", fare }),
    words.line.paid({ ...UNSAID, fare }),
    words.line.started({ ...UNSAID, taxi: "1111", driver: "driver1111" }),
    words.line.ended({ ...UNSAID, fare, by: words.by.driver }),
  ]);
  // What is told is kept, also for a visit later.
  await page.reload();
  await page.getByRole("heading", { name: words.rider.storyOf(1) }).waitFor();
});

walk("nothing is taken before its amount was said, however fast the button is pressed", async (world) => {
  const rider = await world.open("rider");
  const { page, words } = rider;
  /** @type {(() => void) | undefined} */
  let release;
  const released = new Promise((done) => (release = () => done(null)));
  await page.route("**/fares?*", async (route) => {
    await released;
    await route.continue();
  });
  await fill(rider);
  await page.getByRole("button", { name: words.rider.call, exact: true }).click();
  release?.();
  await page.getByRole("status").filter({ hasText: words.rider.fareFirst }).waitFor();
  assert.equal(await world.server.calls(), 0);
  await callButton(rider, 100_000).click();
  await rideIs(rider, "underWay");
});

walk("too far: said before, called anyhow, and the money comes back", async (world) => {
  const rider = await world.open("rider", { language: "en" });
  const { page, words } = rider;
  await fill(rider, { distance: "150" });
  await says(rider, words.rider.tooFar);
  await says(rider, "₩1,500,000");
  await page.getByRole("button", { name: words.rider.callAnyway, exact: true }).click();
  await rideIs(rider, "returned");
  await says(rider, words.why.noTaxi);
  await says(rider, words.rider.cost.returned("₩1,500,000"));
  assert.deepEqual(await story(rider, 1, 5), [
    words.line.requested({ ...UNSAID, distance: "150 km", fare: "₩1,500,000" }),
    words.line.paid({ ...UNSAID, fare: "₩1,500,000" }),
    words.line.noTaxi(UNSAID),
    words.line.cancelled(UNSAID),
    words.line.refunded({ ...UNSAID, fare: "₩1,500,000" }),
  ]);
  const driver = await world.open("driver");
  await take(driver, 1);
  await driver.page.getByRole("heading", { name: driver.words.driver.none.returned }).waitFor();
  assert.equal(await driver.page.getByRole("button", { name: driver.words.driver.end }).count(), 0);
});

walk("the payment is refused: no taxi, nothing charged, and another may be called", async (world) => {
  const rider = await world.open("rider");
  const { words } = rider;
  await call(rider, { method: "test:refused" });
  await rideIs(rider, "refused");
  await says(rider, words.why.refused);
  await says(rider, words.rider.cost.none);
  await call(rider);
  await rideIs(rider, "underWay");
});

walk("cancelled while the payment is waited for: what is taken late goes back", async (world) => {
  const rider = await world.open("rider");
  const { words } = rider;
  await call(rider, { method: "test:late=3000" });
  await rideIs(rider, "paying");
  await says(rider, words.rider.cost.ofNothing);
  await cancel(rider, words.rider.cancelUntaken);
  await rideIs(rider, "returned");
  await says(rider, words.why.rider);
  await says(rider, words.rider.cost.returned("100,000원"));
  await world.server.comesTo(1, "refunded");
});

walk("cancelled before anything was taken: nothing is", async (world) => {
  const rider = await world.open("rider", { language: "en" });
  const { words } = rider;
  await call(rider, { method: "test:silent" });
  await rideIs(rider, "paying");
  await cancel(rider, words.rider.cancelUntaken);
  await rideIs(rider, "off");
  await says(rider, words.rider.cost.none);
});

walk("cancelled under way: what goes back is said before, and seen to come", async (world) => {
  const rider = await world.open("rider");
  const { page, words } = rider;
  await call(rider);
  await rideIs(rider, "underWay");
  const question = await askToCancel(rider, words.rider.cancelReturns("100,000원"));
  // The safe answer is the one at hand.
  assert(await question.getByRole("button", { name: words.rider.cancelNo }).evaluate((button) => button === document.activeElement));
  await page.keyboard.press("Escape");
  await question.waitFor({ state: "hidden" });
  await rideIs(rider, "underWay");
  await cancel(rider, words.rider.cancelReturns("100,000원"));
  await rideIs(rider, "returned");
  await says(rider, words.rider.cost.returned("100,000원"));
  const lines = await story(rider, 1, 7);
  assert.equal(lines.at(-1), words.line.refunded({ ...UNSAID, fare: "100,000원" }));
  assert.equal(lines[3], words.line.cancelWished({ ...UNSAID, by: words.by.rider }));
});

for (const language of /** @type {const} */ (["ko", "en"])) {
  walk(`a ride that ends while its rider is asked is not cancelled, in the server's words: ${language}`, async (world) => {
    const rider = await world.open("rider", { language });
    const { page, words, person } = rider;
    person.expects(/409 \(Conflict\)/);
    await call(rider);
    await rideIs(rider, "underWay");
    const question = await askToCancel(rider, words.rider.cancelReturns(money(100_000, language)));
    await world.server.post("/drives/end", { driveId: 1 });
    await world.server.comesTo(1, "driveComplete");
    const yes = question.getByRole("button", { name: words.rider.cancelYes, exact: true });
    const problem = await isRefused(page, "/calls/cancel", () => yes.click(), question);
    assert.equal(problem.type, "/problems/not-allowed-now");
    await question.getByRole("button", { name: words.rider.cancelNo }).click();
    await rideIs(rider, "arrived");
    assert.equal(await page.getByRole("button", { name: words.rider.cancel, exact: true }).count(), 0);
  });
}

walk("what cannot be is refused in the server's words, at the field that it is about", async (world) => {
  const rider = await world.open("rider");
  const { page, words, person } = rider;
  person.expects(/status of (400|422)/);
  for (const distance of ["0", "-1", "20001", "abc", "3,5"]) {
    const field = page.getByLabel(words.rider.distance, { exact: true });
    const answered = page.waitForResponse((response) => response.url().includes("/fares?") && response.url().endsWith(`=${encodeURIComponent(distance)}`));
    await field.fill(distance);
    const { detail } = await (await answered).json();
    await says(rider, detail);
    assert.equal(await field.getAttribute("aria-invalid"), "true");
  }
  await fill(rider, { distance: "3.5" });
  await callButton(rider, 35_000).click();
  await rideIs(rider, "underWay");
});

walk("a driver is told what there is no drive of", async (world) => {
  const driver = await world.open("driver");
  driver.person.expects(/404 \(Not Found\)/);
  await take(driver, 4711);
  await says(driver, driver.words.driver.unknown(4711));
});
