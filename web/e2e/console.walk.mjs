// @ts-check
// The operator's page: everything live, looked through, and acted on for others.
import assert from "node:assert/strict";
import { until } from "./process.mjs";
import { TOKEN, WRONG_TOKEN } from "./server.mjs";
import { call, isRefused, money, poison, rideIs, row, says, signIn, tabTo } from "./ways.mjs";
import { walk } from "./world.mjs";

/** @typedef {import("./ways.mjs").Somebody} Somebody */

walk("the token is asked for once, and a wrong one is refused in the server's words", async (world) => {
  const operator = await world.open("operator");
  const { page, words, person } = operator;
  person.expects(/401 \(Unauthorized\)/);
  const field = page.getByLabel(words.console.token, { exact: true });
  const enter = page.getByRole("button", { name: words.console.enter, exact: true });
  await field.fill(WRONG_TOKEN);
  const problem = await isRefused(page, "/operator/log", () => enter.click());
  assert.equal(problem.type, "/problems/unauthorized");
  await signIn(operator);
  await page.reload();
  await says(operator, words.console.empty);
  const other = { ...operator, page: await person.tab() };
  await says(other, words.console.empty);
  await page.getByRole("button", { name: words.console.leave, exact: true }).click();
  await field.waitFor();
  await page.reload();
  await field.waitFor();
  assert.equal(await page.evaluate((token) => JSON.stringify(localStorage).includes(token), TOKEN), false, "the token stays behind");
});

walk("calls are listed by state, filtered and searched", async (world) => {
  const { server } = world;
  await server.call({ userName: "eojin" }, "driveStart");
  await server.call({ userName: "Mina" }, "driveStart");
  await server.call({ userName: "Jo", distance: 150 }, "refunded");
  await server.call({ userName: "Ara", paymentMethod: "test:refused" }, "payFail");
  await server.call({ userName: "Minsu" }, "driveStart");
  await server.post("/drives/end", { driveId: 5 });
  await server.comesTo(5, "driveComplete");
  const operator = await world.open("operator", { language: "en" });
  const { page, words } = operator;
  await signIn(operator);
  await shows(operator, [5, 4, 3, 2, 1]);
  await row(operator, 3).filter({ hasText: words.console.money.refunded }).filter({ hasText: "₩1,500,000" }).waitFor();
  const state = page.getByRole("group", { name: words.console.columns.state });
  for (const [status, calls, count] of /** @type {const} */ ([
    ["driveStart", [2, 1], 2],
    ["requestCancel", [3], 1],
    ["payFail", [4], 1],
    ["driveComplete", [5], 1],
    ["payRequest", [], 0],
  ])) {
    const chip = state.getByRole("button", { name: new RegExp(`^${words.console.status[status]} ${count}\\b`) });
    await chip.click();
    assert.equal(await chip.getAttribute("aria-pressed"), "true");
    await shows(operator, calls);
  }
  await says(operator, words.console.empty);
  await state.getByRole("button", { name: new RegExp(`^${words.console.all} 5$`) }).click();
  const search = page.getByRole("searchbox", { name: words.console.search });
  await search.fill("min");
  await shows(operator, [5, 2]);
  await search.fill("2222");
  await shows(operator, [2]);
  // A number is found and opened.
  await search.fill("4");
  await search.press("Enter");
  await page.getByRole("heading", { name: words.console.open(4), exact: true }).waitFor();
  await search.fill("");
  await page.getByRole("columnheader").getByRole("button", { name: words.console.columns.number }).click();
  await shows(operator, [1, 2, 3, 4, 5]);
});

walk("one call's whole story is told, with its money and its events, and goes on live", async (world) => {
  const { server } = world;
  await server.call({ userName: "eojin" }, "driveStart");
  const operator = await world.open("operator");
  const { page, words } = operator;
  await signIn(operator);
  await row(operator, 1).click();
  const panel = page.getByRole("complementary", { name: words.console.open(1) });
  const told = await server.get("/operator/calls/1");
  await panel.getByText(told.story.ko, { exact: true }).waitFor();
  await account(panel, words.console.held, money(100_000, "ko")).waitFor();
  await panel.getByText(told.waitsFor[0].words.ko, { exact: true }).waitFor();
  const items = panel.getByRole("list").last().getByRole("listitem");
  const published = told.steps.filter((/** @type {any} */ step) => step.published);
  for (const step of published) await items.filter({ hasText: step.words.ko }).filter({ hasText: step.event }).first().waitFor();
  assert.equal(await items.count(), published.length);
  await panel.getByLabel(words.console.notesToo).check();
  assert.equal(await items.count(), told.steps.length);

  await server.post("/drives/end", { driveId: 1 });
  await account(panel, words.console.earned, money(100_000, "ko")).waitFor();
  await panel.getByText(words.console.waitsNothing).waitFor();
  await items.filter({ hasText: "DriveEnded" }).first().waitFor();
  assert.equal(await panel.getByRole("button", { name: words.console.end }).count(), 0);
});

walk("a number that is no call is said to be none", async (world) => {
  const operator = await world.open("operator");
  operator.person.expects(/404 \(Not Found\)/);
  await signIn(operator);
  const search = operator.page.getByRole("searchbox", { name: operator.words.console.search });
  await search.fill("4711");
  await search.press("Enter");
  await operator.page.getByRole("alert").getByText(operator.words.console.notFound(4711)).or(operator.page.getByText(operator.words.console.notFound(4711))).first().waitFor();
});

walk("an operator cancels on a rider's behalf: recorded as the operator's, and told to the rider", async (world) => {
  const rider = await world.open("rider");
  await call(rider);
  await rideIs(rider, "underWay");
  const operator = await world.open("operator", { language: "en" });
  const { page, words } = operator;
  await signIn(operator);
  await row(operator, 1).click();
  const panel = page.getByRole("complementary", { name: words.console.open(1) });
  await panel.getByRole("button", { name: words.console.cancel }).click();
  const question = page.getByRole("dialog", { name: words.console.cancelTitle(1) });
  await question.getByText(words.console.cancelSays).waitFor();
  await question.getByRole("button", { name: words.console.yesCancel, exact: true }).dblclick();
  await account(panel, words.console.returned, money(100_000, "en")).waitFor();
  await page.getByRole("status").getByText(words.console.done).waitFor({ state: "attached" });
  await panel.getByRole("listitem").filter({ hasText: "CancelRequested" }).filter({ hasText: words.by.operator }).waitFor();
  await rideIs(rider, "returned");
  await says(rider, rider.words.why.operator);
  const { steps } = await world.server.get("/operator/calls/1");
  const wishes = steps.filter((/** @type {any} */ step) => step.event === "CancelRequested");
  assert.deepEqual(wishes.map((/** @type {any} */ step) => step.actor), ["operator"]);
});

walk("an operator ends a ride on a driver's behalf: recorded as the operator's, and told to the driver", async (world) => {
  await world.server.call({}, "driveStart");
  const driver = await world.open("driver");
  await driver.page.goto(`${world.server.origin}/driver#1`);
  await driver.page.getByRole("heading", { name: driver.words.driver.none.underWay }).waitFor();
  const operator = await world.open("operator");
  const { page, words } = operator;
  await signIn(operator);
  await row(operator, 1).click();
  await page.getByRole("button", { name: words.console.end }).click();
  const question = page.getByRole("dialog", { name: words.console.endTitle(1) });
  await question.getByRole("button", { name: words.console.yesEnd, exact: true }).click();
  await row(operator, 1).filter({ hasText: words.console.status.driveComplete }).waitFor();
  await says(driver, driver.words.driver.done("100,000원"));
  const { steps } = await world.server.get("/operator/calls/1");
  assert.equal(steps.find((/** @type {any} */ step) => step.event === "DriveEnded").actor, "operator");
});

walk("an operator's cancel that comes too late is refused in the server's words", async (world) => {
  await world.server.call({}, "driveStart");
  const operator = await world.open("operator");
  const { page, words, person } = operator;
  person.expects(/409 \(Conflict\)/);
  await signIn(operator);
  await row(operator, 1).click();
  await page.getByRole("button", { name: words.console.cancel }).click();
  const question = page.getByRole("dialog", { name: words.console.cancelTitle(1) });
  await world.server.post("/drives/end", { driveId: 1 });
  await world.server.comesTo(1, "driveComplete");
  const yes = question.getByRole("button", { name: words.console.yesCancel, exact: true });
  await isRefused(page, "/operator/calls/cancel", () => yes.click(), question);
});

walk("everything in the console goes by keyboard alone", async (world) => {
  for (const _ of [1, 2, 3]) await world.server.call({}, "driveStart");
  const operator = await world.open("operator");
  const { page, words } = operator;
  const { keyboard } = page;
  await tabTo(page, page.getByLabel(words.console.token, { exact: true }));
  await keyboard.type(TOKEN);
  await keyboard.press("Enter");
  await row(operator, 1).waitFor();
  const grid = page.getByRole("grid", { name: words.console.tabs.calls });
  await tabTo(page, grid);
  for (const key of ["ArrowDown", "ArrowDown", "End", "ArrowUp"]) await keyboard.press(key);
  assert.equal(await grid.getAttribute("aria-activedescendant"), await row(operator, 2).getAttribute("id"));
  await keyboard.press("Enter");
  const heading = page.getByRole("heading", { name: words.console.open(2), exact: true });
  await heading.waitFor();
  await until("the call to have the focus", () => heading.evaluate((element) => element === document.activeElement));
  await page.getByRole("button", { name: words.console.end }).waitFor();
  await keyboard.press("e");
  const end = page.getByRole("dialog", { name: words.console.endTitle(2) });
  await end.waitFor();
  await keyboard.press("Escape");
  await end.waitFor({ state: "hidden" });
  await heading.waitFor();
  await keyboard.press("c");
  await page.getByRole("dialog", { name: words.console.cancelTitle(2) }).waitFor();
  // The safe answer is the one at hand; the other is the next.
  await keyboard.press("Tab");
  await keyboard.press("Enter");
  await row(operator, 2).filter({ hasText: words.console.status.requestCancel }).waitFor();
  await page.getByRole("dialog").waitFor({ state: "hidden" });
  await keyboard.press("Escape");
  await heading.waitFor({ state: "hidden" });
  await until("the list to have the focus", () => grid.evaluate((element) => element === document.activeElement));
  for (const [key, tab] of /** @type {const} */ ([["2", "now"], ["3", "letters"], ["4", "health"], ["1", "calls"]])) {
    await keyboard.press(key);
    await page.getByRole("link", { name: words.console.tabs[tab] }).and(page.locator("[aria-current=page]")).waitFor();
  }
  await keyboard.press("?");
  await page.getByRole("dialog", { name: words.console.keys }).waitFor();
  await keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "hidden" });
  await keyboard.press("/");
  await until("the search to have the focus", () =>
    page.getByRole("searchbox").evaluate((element) => element === document.activeElement),
  );
  await keyboard.type("3");
  await keyboard.press("Enter");
  await page.getByRole("heading", { name: words.console.open(3), exact: true }).waitFor();
});

walk("no message was put aside, and that is said", async (world) => {
  const operator = await world.open("operator");
  await signIn(operator);
  await operator.page.keyboard.press("3");
  await says(operator, operator.words.console.letters.none);
});

walk("a message that was put aside is looked at, retried and passed over", async (world) => {
  await poison(world.server);
  const operator = await world.open("operator", { language: "en" });
  const { page, words } = operator;
  const { letters } = words.console;
  await signIn(operator);
  await page.getByRole("link", { name: new RegExp(`^${words.console.tabs.letters} 2$`) }).click();
  const letter = page.getByRole("article").filter({ has: page.getByRole("heading", { name: "view 1", exact: true }) });
  await letter.getByText(letters.behind(1)).waitFor();
  await letter.getByText(letters.content).click();
  await letter.getByText("FarePaid").last().waitFor();
  await letter.getByRole("button", { name: letters.retry }).click();
  const { retry } = (await world.server.get("/operator/dead-letters")).deadLetters[0];
  assert(retry.en, "what comes of retrying is said before");
  await page.getByRole("main").getByRole("status").filter({ hasText: /./ }).first().waitFor();
  await letter.getByRole("button", { name: letters.skip }).click();
  const question = page.getByRole("dialog", { name: letters.skipTitle });
  const yes = question.getByRole("button", { name: letters.skip });
  assert(await yes.isDisabled(), "a reason is wanted");
  await question.getByLabel(letters.reason).fill("of a build taken back");
  await yes.click();
  await letter.getByText(letters.skipped, { exact: true }).waitFor();
  await letter.getByText("of a build taken back").waitFor();
  await until("nothing to wait", async () => {
    const { deadLetters } = await world.server.get("/operator/dead-letters");
    return deadLetters.every((/** @type {any} */ each) => each.skipped);
  });
  await page.reload();
  await page.getByRole("link", { name: new RegExp(`^${words.console.tabs.letters}$`) }).waitFor();
  await letter.getByRole("link", { name: letters.ofCall(1) }).click();
  await page.getByRole("heading", { name: words.console.open(1), exact: true }).waitFor();
});

walk("how things go is seen at a glance, and every event as it happens", async (world) => {
  const operator = await world.open("operator");
  const { page, words } = operator;
  await signIn(operator);
  await page.getByRole("link", { name: words.console.tabs.now }).click();
  const feed = page.getByRole("region", { name: words.console.events }).getByRole("listitem");
  await says(operator, words.live.on);
  await world.server.call({}, "driveStart");
  for (const event of ["CallRequested", "FarePaid", "DriveStarted"]) await feed.filter({ hasText: event }).first().waitFor();
  await page.getByRole("definition").filter({ hasText: /^1$/ }).first().waitFor();
  await page.getByRole("button", { name: words.console.pause }).click();
  const before = await feed.count();
  await world.server.post("/drives/end", { driveId: 1 });
  await page.getByRole("link", { name: words.console.tabs.calls }).click();
  await row(operator, 1).filter({ hasText: words.console.status.driveComplete }).waitFor();
  await page.getByRole("link", { name: words.console.tabs.now }).click();
  await feed.first().waitFor();
  assert.equal(await feed.count(), before, "it is paused");
  // The plots are told in words and figures too.
  await page.getByText(words.console.plots.rateTable).click();
  const table = page.getByRole("table").first();
  await table.getByRole("columnheader", { name: words.console.plots.requested }).waitFor();
  await table.getByRole("row").filter({ has: page.getByRole("cell", { name: "1", exact: true }) }).first().waitFor();
});

walk("the health of the system is told, the audit run, the read model made anew", async (world) => {
  await world.server.call({}, "driveStart");
  const operator = await world.open("operator");
  const { page, words } = operator;
  const { health } = words.console;
  await signIn(operator);
  await page.getByRole("link", { name: words.console.tabs.health, exact: true }).click();
  const { findings } = await world.server.get("/operator/doctor");
  await page.getByRole("rowheader", { name: findings[0].check, exact: true }).waitFor();
  // One audit at a time.
  const { checks } = await world.server.get("/operator/audit");
  await page.getByRole("button", { name: health.auditRun }).click();
  await says(operator, health.auditClean(checks.length));
  await says(operator, health.viewWhole);
  await page.getByRole("button", { name: health.rebuild }).click();
  const begun = page.waitForResponse((answer) => answer.request().method() === "POST" && answer.url().endsWith("/operator/views/rebuild"));
  await page.getByRole("dialog", { name: health.rebuildTitle }).getByRole("button", { name: health.rebuild }).click();
  assert.equal((await begun).status(), 202);
  await page.getByRole("dialog").waitFor({ state: "hidden" });
  await says(operator, health.viewWhole);
});

/**
 * Waits until these calls are shown, in this order, and no others.
 * @param {Somebody} operator
 * @param {readonly number[]} calls
 */
async function shows({ page }, calls) {
  await until(`calls ${calls.join()}`, async () => {
    const rows = page.getByRole("grid").getByRole("row");
    const firsts = await rows.evaluateAll((rows) => rows.map((row) => row.firstElementChild?.textContent ?? ""));
    return firsts.filter((text) => /^[0-9]+$/.test(text)).join() === calls.join();
  });
}

/**
 * What stands in an account of a call's money.
 * @param {import("playwright-core").Locator} panel
 * @param {string} name
 * @param {string} amount
 */
function account(panel, name, amount) {
  const term = panel.page().getByRole("term").filter({ hasText: new RegExp(`^${name}$`) });
  return panel.locator("div").filter({ has: term }).getByRole("definition").filter({ hasText: amount }).last();
}
