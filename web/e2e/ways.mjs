// @ts-check
// Ways through the pages that several walks go: by role and by name, as people find them.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { TOKEN } from "./server.mjs";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {import("playwright-core").Locator} Locator */
/** @typedef {import("./words.mjs").Tag} Tag */
/** @typedef {import("./words.mjs").Words} Words */
/** @typedef {import("./server.mjs").Server} Server */
/** @typedef {{ page: Page, words: Words, tag: Tag }} Somebody */

/**
 * How the pages write won.
 * @param {number} amount
 * @param {Tag} tag
 */
export function money(amount, tag) {
  const digits = String(amount).replaceAll(/\B(?=(\d{3})+$)/g, ",");
  return tag === "ko" ? `${digits}원` : `₩${digits}`;
}

/** What is said where a line of a story wants none of it. */
export const UNSAID = { fare: "", distance: "", taxi: "", driver: "", by: "" };

/**
 * Says who is to be driven how far, and by which payment method if not by the usual one.
 * @param {Somebody} rider
 * @param {{ distance?: string, name?: string, method?: string }} [wish]
 */
export async function fill({ page, words }, { distance = "10", name = "어진", method } = {}) {
  await page.getByLabel(words.rider.distance, { exact: true }).fill(distance);
  await page.getByLabel(words.rider.name, { exact: true }).fill(name);
  if (method === undefined) return;
  const field = page.getByLabel(words.rider.method, { exact: true });
  if (!(await field.isVisible())) await page.getByText(words.rider.more).click();
  await field.fill(method);
}

/**
 * Calls a taxi that costs this much, once the page has said so.
 * @param {Somebody} rider
 * @param {{ distance?: string, name?: string, method?: string }} [wish]
 */
export async function call(rider, wish = {}) {
  await fill(rider, wish);
  await callButton(rider, Number(wish.distance ?? "10") * 10_000).click();
}

/**
 * The button that calls for this fare.
 * @param {Somebody} rider
 * @param {number} fare
 */
export function callButton({ page, words, tag }, fare) {
  return page.getByRole("button", { name: words.rider.callFor(money(fare, tag)), exact: true });
}

/**
 * Waits until a ride in hand says this of itself.
 * @param {Somebody} rider
 * @param {keyof Words["phase"]} phase
 */
export async function rideIs({ page, words }, phase) {
  await page.getByRole("heading", { name: words.phase[phase], exact: true }).waitFor();
}

/**
 * Waits until the page says this, whole.
 * @param {Somebody} somebody
 * @param {string | RegExp} text
 */
export async function says({ page }, text) {
  await page.getByText(text, { exact: true }).first().waitFor();
}

/**
 * Asks to cancel the ride in hand, and is told before that it costs nothing.
 * @param {Somebody} rider
 * @param {string} said what becomes of the money
 * @returns {Promise<Locator>} the question
 */
export async function askToCancel({ page, words }, said) {
  await page.getByRole("button", { name: words.rider.cancel, exact: true }).click();
  const question = page.getByRole("dialog", { name: words.rider.cancelTitle });
  await question.getByText(`${words.rider.cancelFree} ${said}`, { exact: true }).waitFor();
  return question;
}

/**
 * @param {Somebody} rider
 * @param {string} said what becomes of the money
 */
export async function cancel(rider, said) {
  const question = await askToCancel(rider, said);
  await question.getByRole("button", { name: rider.words.rider.cancelYes, exact: true }).click();
}

/**
 * Takes a drive in hand.
 * @param {Somebody} driver
 * @param {number} number
 */
export async function take({ page, words }, number) {
  await page.getByLabel(words.driver.number, { exact: true }).fill(String(number));
  await page.getByRole("button", { name: words.driver.take, exact: true }).click();
}

/**
 * Takes a drive in hand and ends it.
 * @param {Somebody} driver
 * @param {number} number
 */
export async function endRide(driver, number) {
  const { page, words } = driver;
  await take(driver, number);
  await page.getByRole("button", { name: words.driver.end, exact: true }).click();
  const question = page.getByRole("dialog", { name: words.driver.endTitle });
  await question.getByRole("button", { name: words.driver.endYes, exact: true }).click();
  await question.waitFor({ state: "hidden" });
}

/**
 * Shows the operator's token.
 * @param {Somebody} operator
 */
export async function signIn({ page, words }) {
  await page.getByLabel(words.console.token, { exact: true }).fill(TOKEN);
  await page.getByRole("button", { name: words.console.enter, exact: true }).click();
  await page.getByRole("button", { name: words.console.leave, exact: true }).waitFor();
}

/**
 * What the story of a ride tells, each line having its time in Korea.
 * @param {Somebody} rider
 * @param {number} number
 * @param {number} lines as many as it has to have
 */
export async function story({ page, words }, number, lines) {
  await page.getByRole("link", { name: words.rider.story, exact: true }).click();
  await page.getByRole("heading", { name: words.rider.storyOf(number) }).waitFor();
  const items = page.getByRole("list", { name: words.rider.story }).getByRole("listitem");
  await items.nth(lines - 1).waitFor();
  const told = [];
  for (const item of await items.all()) {
    const at = item.getByRole("time");
    const moment = new Date((await at.getAttribute("datetime")) ?? "");
    const inKorea = new Date(moment.getTime() + 9 * 3_600_000).toISOString().slice(11, 19);
    assert.equal(await at.textContent(), inKorea);
    told.push(((await item.textContent()) ?? "").replace(inKorea, "").trim());
  }
  return told;
}

/**
 * Does what a person does, and waits until the page says what the server refused, in its words and with its number.
 * @param {Page} page
 * @param {string} path
 * @param {() => Promise<void>} deed
 * @param {Locator} [place] where it is said
 */
export async function isRefused(page, path, deed, place) {
  const answered = page.waitForResponse((response) => new URL(response.url()).pathname === path && !response.ok());
  await deed();
  const response = await answered;
  const problem = await response.json();
  const alert = (place ?? page).getByRole("alert").filter({ hasText: problem.title });
  await alert.waitFor();
  const text = (await alert.textContent()) ?? "";
  for (const part of [problem.title, problem.detail, problem.requestId]) {
    assert(part && text.includes(part), `${text} does not say ${part}`);
  }
  assert.equal(problem.requestId, response.headers()["x-request-id"]);
  return problem;
}

/**
 * The row of a call.
 * @param {Somebody} operator
 * @param {number} number
 */
export function row({ page }, number) {
  return page.getByRole("row").filter({ has: page.getByRole("gridcell", { name: String(number), exact: true }).first() });
}

/**
 * Has the view read a message that nobody can read, and put it aside, with another that waits behind it.
 * @param {Server} server
 */
export async function poison(server) {
  await server.call({}, "driveStart");
  await server.kill();
  const write = (/** @type {string} */ body) => sql(server, "UPDATE payment_event SET body = ?1 WHERE type = 'FarePaid' AND id = 1", body);
  const [was] = sql(server, "SELECT body FROM payment_event WHERE type = 'FarePaid' AND id = 1");
  write('{"callId":');
  const rebuilt = server.process.command("rebuild", "view");
  assert.equal(rebuilt.status, 1, rebuilt.stderr);
  assert.match(rebuilt.stdout, /but for what was put aside: 2/);
  write(was);
  await server.begin();
}

/**
 * @param {Server} server
 * @param {string} statement
 * @param {string[]} values
 * @returns {any} its first row
 */
function sql(server, statement, ...values) {
  // Node has an SQLite of its own only in later versions.
  const program = `
import json, sqlite3, sys
with sqlite3.connect("data/taxisvc.db") as connection:
    print(json.dumps(connection.execute(sys.argv[1], sys.argv[2:]).fetchone()))
`;
  const ran = spawnSync("python3", ["-c", program, statement, ...values], { cwd: server.folder, encoding: "utf8" });
  assert.equal(ran.status, 0, ran.stderr);
  return JSON.parse(ran.stdout);
}

/**
 * Goes on with the Tab key until it is there.
 * @param {Page} page
 * @param {Locator} place
 * @param {"Tab" | "Shift+Tab"} [key]
 */
export async function tabTo(page, place, key = "Tab") {
  await place.waitFor();
  for (let step = 0; step < 40; step += 1) {
    await page.keyboard.press(key);
    if (await place.evaluate((element) => element === document.activeElement)) return;
  }
  assert.fail("it is not to be reached by the Tab key");
}
