// @ts-check
// Riders and drivers who use no mouse and no finger.
import assert from "node:assert/strict";
import { until } from "./process.mjs";
import { callButton, rideIs, says, tabTo } from "./ways.mjs";
import { walk } from "./world.mjs";

walk("a ride is called, cancelled and read up by keyboard alone", async (world) => {
  const rider = await world.open("rider", { size: "desktop" });
  const { page, words } = rider;
  const { keyboard } = page;
  await tabTo(page, page.getByLabel(words.rider.distance, { exact: true }));
  await keyboard.type("10");
  await tabTo(page, page.getByLabel(words.rider.name, { exact: true }));
  await keyboard.type("어진");
  await callButton(rider, 100_000).waitFor();
  await keyboard.press("Enter");
  await rideIs(rider, "underWay");
  await tabTo(page, page.getByRole("button", { name: words.rider.cancel, exact: true }));
  await keyboard.press("Enter");
  const question = page.getByRole("dialog", { name: words.rider.cancelTitle });
  await question.waitFor();
  // Nothing behind the question is to be reached.
  for (let step = 0; step < 5; step += 1) {
    await keyboard.press("Tab");
    const isWithin = await question.evaluate((dialog) => dialog.contains(document.activeElement) || document.activeElement === document.body);
    assert(isWithin);
  }
  await keyboard.press("Escape");
  await question.waitFor({ state: "hidden" });
  const ask = page.getByRole("button", { name: words.rider.cancel, exact: true });
  await until("the focus to be where it was", () => ask.evaluate((element) => element === document.activeElement));
  await keyboard.press("Enter");
  await tabTo(page, question.getByRole("button", { name: words.rider.cancelYes, exact: true }));
  await keyboard.press("Enter");
  await rideIs(rider, "returned");
  await tabTo(page, page.getByRole("link", { name: words.rider.story, exact: true }));
  await keyboard.press("Enter");
  const heading = page.getByRole("heading", { name: words.rider.storyOf(1) });
  await until("the story to have the focus", () => heading.evaluate((element) => element === document.activeElement));
  // To the content, and still in the story.
  await page.reload();
  await heading.waitFor();
  await tabTo(page, page.getByRole("link", { name: words.skip }), "Shift+Tab");
  await keyboard.press("Enter");
  const main = page.getByRole("main");
  await until("the content to have the focus", () => main.evaluate((element) => element.contains(document.activeElement)));
  await heading.waitFor();
  await page.reload();
  await heading.waitFor();
});

walk("a drive is ended by keyboard alone, past the head of the page", async (world) => {
  await world.server.call({}, "driveStart");
  const driver = await world.open("driver", { language: "en", size: "desktop" });
  const { page, words } = driver;
  const { keyboard } = page;
  await tabTo(page, page.getByLabel(words.driver.number, { exact: true }));
  await keyboard.type("1");
  await keyboard.press("Enter");
  await page.getByRole("heading", { name: words.driver.none.underWay }).waitFor();
  await page.reload();
  await tabTo(page, page.getByRole("link", { name: words.skip }));
  await keyboard.press("Enter");
  await tabTo(page, page.getByRole("button", { name: words.driver.end, exact: true }));
  await keyboard.press("Enter");
  await tabTo(page, page.getByRole("dialog").getByRole("button", { name: words.driver.endYes, exact: true }));
  await keyboard.press("Enter");
  await says(driver, words.driver.done("₩100,000"));
});
