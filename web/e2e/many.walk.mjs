// @ts-check
// Ten thousand calls in the console: all of them there, and no more of them drawn than are seen.
import assert from "node:assert/strict";
import { until } from "./process.mjs";
import { money, row, says, signIn } from "./ways.mjs";
import { walk } from "./world.mjs";

const CALLS = 10_000;
const AT_ONCE = 64;
/** A window of 900 pixels shows some 20 rows; a few more lie ready above and below. */
const ROWS_MAX = 80;
const ROW_PX = 44;
const NEWCOMERS_MAX = 5;

walk("ten thousand calls are listed, and only what is seen of them is drawn", async (world) => {
  await callMany(world.server);
  const operator = await world.open("operator", { language: "en" });
  const { page, words } = operator;
  await page.evaluate(() => {
    // @ts-ignore it is read below
    window.tasks = [];
    // @ts-ignore it is set above
    new PerformanceObserver((list) => window.tasks.push(...list.getEntries().map((entry) => Math.round(entry.duration)))).observe({ type: "longtask" });
  });
  await signIn(operator);
  await says(operator, words.console.shown("10,000", "10,000"));
  const grid = page.getByRole("grid", { name: words.console.tabs.calls });
  assert.equal(await grid.getAttribute("aria-rowcount"), String(CALLS + 1));
  await grid.hover();
  let drawnMax = 0;
  for (let step = 0; step < 40; step += 1) {
    await page.mouse.wheel(0, step * ROW_PX);
    drawnMax = Math.max(drawnMax, await grid.getByRole("row").count());
  }
  // Whoever looks at something old is not moved by what is new; while the list is looked through anew it is not held.
  let more = 0;
  for (let isHeld = false; !isHeld; ) {
    const before = await restOf(grid);
    assert.notEqual(before, String(CALLS + more));
    more += 1;
    await world.server.call({ userName: "one more" });
    await until("one more", async () => (await grid.getAttribute("aria-rowcount")) === String(CALLS + 1 + more));
    isHeld = (await restOf(grid)) === before;
    assert(isHeld || more < NEWCOMERS_MAX, `the list was moved from ${before}`);
  }
  await grid.press("End");
  await row(operator, 1).waitFor();
  drawnMax = Math.max(drawnMax, await grid.getByRole("row").count());
  await grid.press("Home");
  await row(operator, CALLS + more).waitFor();
  assert(drawnMax > 10 && drawnMax <= ROWS_MAX, `${drawnMax} rows are drawn`);
  // What comes now is seen now.
  await world.server.call({ userName: "newcomer", distance: 3 });
  await row(operator, CALLS + more + 1).filter({ hasText: "newcomer" }).filter({ hasText: money(30_000, "en") }).waitFor();
  await page.getByRole("searchbox").fill("newcomer");
  await until("the newcomer alone", async () => (await grid.getAttribute("aria-rowcount")) === "2");
  await page.getByRole("searchbox").fill("");
  await page.getByRole("group", { name: words.console.columns.state }).getByRole("button", { name: new RegExp(`^${words.console.status.driveStart}`) }).click();
  await until("those under way", async () => Number(await grid.getAttribute("aria-rowcount")) > CALLS);
  assert((await grid.getByRole("row").count()) <= ROWS_MAX);
  const tasks = /** @type {number[]} */ (await page.evaluate(() => /** @type {any} */ (window).tasks));
  console.log(`at most ${drawnMax} rows drawn of ${CALLS}; tasks above 50 ms: ${tasks.length}, the longest ${Math.max(0, ...tasks)} ms`);
});

/**
 * Where a list comes to rest that was scrolled.
 * @param {import("playwright-core").Locator} grid
 */
async function restOf(grid) {
  let last = await topOf(grid);
  return until("the list to rest", async () => {
    const now = await topOf(grid);
    const isAtRest = now === last;
    last = now;
    return isAtRest && now;
  });
}

/**
 * The number of the first call that is seen whole below the head.
 * @param {import("playwright-core").Locator} grid
 */
async function topOf(grid) {
  const rows = grid.getByRole("row");
  return rows.evaluateAll((rows) => {
    const [head, ...others] = rows;
    const top = head?.getBoundingClientRect().bottom ?? 0;
    const tops = others.filter((row) => row.getBoundingClientRect().top >= top - 1);
    tops.sort((a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top);
    return tops[0]?.firstElementChild?.textContent?.trim();
  });
}

/** @param {import("./server.mjs").Server} server */
async function callMany(server) {
  let next = 1;
  const caller = async () => {
    while (next <= CALLS) {
      const userId = String(next);
      next += 1;
      await server.post("/calls", { userId, userName: `rider ${userId}`, distance: 10 }, { prefer: "respond-async" });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, caller));
  await until("every call to be under way", async () => {
    const page = await server.get("/callViews?callStatus=driveStart&size=1");
    return page.page.totalElements === CALLS;
  });
}
