// @ts-check
// The pages as such: their languages, their policy, their own port, and how much of them travels.
import assert from "node:assert/strict";
import { firstLoad } from "./first-load.mjs";
import { until } from "./process.mjs";
import { call, rideIs, says, signIn } from "./ways.mjs";
import { walk } from "./world.mjs";

/** Everything that comes before a rider can call, compressed as it travels. */
const FIRST_LOAD_BYTES_MAX = 60_000;

walk("the language is the browser's until another is chosen, which is kept for all pages", async (world) => {
  const rider = await world.open("rider", { language: "en" });
  const korean = { ...rider, words: (await world.open("rider")).words };
  await rider.page.getByRole("heading", { name: rider.words.rider.title, level: 1 }).waitFor();
  await rider.page.getByRole("button", { name: rider.words.language, exact: true }).click();
  await rider.page.getByRole("heading", { name: korean.words.rider.title, level: 1 }).waitFor();
  assert.equal(await rider.page.evaluate(() => document.documentElement.lang), "ko");
  for (const path of ["/driver", "/console", "/"]) {
    const page = await rider.person.tab(path);
    await page.getByRole("button", { name: korean.words.language, exact: true }).waitFor();
  }
});

walk("the pages work on their own port too", async (world) => {
  const origin = world.server.process.address("web");
  const rider = await world.open("rider", { origin });
  await call(rider);
  await rideIs(rider, "underWay");
  await says(rider, rider.words.live.on);
  const driver = { ...rider, page: await rider.person.tab("/driver#1") };
  await driver.page.getByRole("button", { name: driver.words.driver.end, exact: true }).click();
  await driver.page.getByRole("dialog").getByRole("button", { name: driver.words.driver.endYes, exact: true }).click();
  await rideIs(rider, "arrived");
  const operator = await world.open("operator", { origin });
  await signIn(operator);
  await operator.page.getByRole("grid").getByRole("row").filter({ hasText: operator.words.console.status.driveComplete }).waitFor();
});

walk("a script that somebody plants in a page does not run", async (world) => {
  for (const role of /** @type {const} */ (["rider", "driver", "operator"])) {
    const { page, person } = await world.open(role);
    person.expects(/policy: script-src|Content Security Policy/);
    await page.getByRole("main").waitFor();
    await page.evaluate(() => {
      const within = document.createElement("script");
      within.textContent = "window.planted = true";
      document.body.append(within);
      const drawn = document.createElement("div");
      drawn.innerHTML = `<img src="/nothing" onerror="window.planted = true">`;
      document.body.append(drawn);
      const elsewhere = document.createElement("script");
      elsewhere.src = "data:text/javascript,window.planted=true";
      document.body.append(elsewhere);
    });
    person.expects(/404 \(Not Found\)/);
    const refused = () => person.faults.filter((fault) => fault.startsWith("policy: script-src")).length;
    await until("three refusals", () => refused() >= 3);
    assert.equal(await page.evaluate(() => "planted" in window), false);
  }
});

walk("names of others and what they write are text, never a page", async (world) => {
  const name = `<img src=x onerror="window.planted=true"><b>어진</b>`;
  const rider = await world.open("rider");
  await call(rider, { name });
  await rideIs(rider, "underWay");
  const driver = await world.open("driver");
  await driver.page.goto(`${world.server.origin}/driver#1`);
  await says(driver, name);
  const operator = await world.open("operator");
  await signIn(operator);
  await operator.page.getByRole("gridcell", { name, exact: true }).waitFor();
  for (const { page } of [rider, driver, operator]) assert.equal(await page.evaluate(() => "planted" in window), false);
});

walk("the rider's first load is small", async (world) => {
  const load = await firstLoad(world, "rider");
  console.log(load.told);
  assert(load.bytes > 10_000, "it was weighed");
  assert(load.bytes < FIRST_LOAD_BYTES_MAX, load.told);
});
