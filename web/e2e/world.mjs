// @ts-check
// The world of a walk: the real binary, and browsers of people who look at its pages.
import assert from "node:assert/strict";
import { accessSync, mkdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { Server } from "./server.mjs";
import { words } from "./words.mjs";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {import("./words.mjs").Tag} Tag */
/** @typedef {{ language?: Tag, dark?: boolean, size?: "phone" | "desktop", origin?: string, isBlank?: boolean }} Manner */

const PATHS = { rider: "/", driver: "/driver", operator: "/console" };
/** @typedef {keyof typeof PATHS} Role */
/** @typedef {{ origin: string, said: string, end(): Promise<void> }} Over what pages are walked over */
export const SIZES = { phone: { width: 390, height: 844 }, desktop: { width: 1440, height: 900 } };
const LOCALES = { ko: "ko-KR", en: "en-US" };
/** Not Korea's: what the pages say of time must not come from where somebody sits. */
const ZONE = "America/New_York";
const WAIT_MS_MAX = 15_000;
const WALK_MS_MAX = 120_000;
const FAILED = fileURLToPath(new URL("../../target/web/failed", import.meta.url));

/** @type {Promise<import("playwright-core").Browser> | null} */
let launched = null;

function browser() {
  launched ??= chromium.launch({
    executablePath: program(process.env["CHROMIUM"] ?? "chromium"),
    args: process.getuid?.() === 0 ? ["--no-sandbox"] : [],
    // This process ends itself on a signal, and the browser with it.
    handleSIGINT: false,
    handleSIGTERM: false,
    handleSIGHUP: false,
  });
  return launched;
}

export async function closeBrowser() {
  if (launched) await (await launched).close();
}


/** @param {string} name */
function program(name) {
  if (name.includes("/")) return name;
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    try {
      accessSync(join(folder, name));
      return join(folder, name);
    } catch {
      // The next.
    }
  }
  throw new Error(`there is no ${name}; \`cargo xtask web\` installs it`);
}

/** Somebody with a browser of their own. */
export class Person {
  /**
   * @param {import("playwright-core").BrowserContext} context
   * @param {Role} role
   * @param {Required<Manner>} manner
   */
  constructor(context, role, manner) {
    this.context = context;
    this.role = role;
    this.manner = manner;
    /** @type {string[]} */
    this.faults = [];
    /** @type {RegExp[]} */
    this.expected = [];
  }

  /** What the pages say in this person's language. */
  get words() {
    return words(this.manner.language);
  }

  get address() {
    return this.manner.origin + PATHS[this.role];
  }

  /**
   * Another tab of the same browser.
   * @param {string} [path]
   * @returns {Promise<Page>}
   */
  async tab(path) {
    const page = await this.context.newPage();
    await page.goto(this.manner.origin + (path ?? PATHS[this.role]));
    return page;
  }

  /**
   * Says that something like this is no fault from here on.
   * @param {RegExp} fault
   */
  expects(fault) {
    this.expected.push(fault);
  }

  assertClean() {
    const faults = this.faults.filter((fault) => !this.expected.some((expected) => expected.test(fault)));
    assert.deepEqual(faults, [], `the ${this.role}'s browser complains`);
  }
}

/** What a browser says of a server that is away. */
export const AWAY = /net::ERR_(CONNECTION_REFUSED|CONNECTION_RESET|EMPTY_RESPONSE|INCOMPLETE_CHUNKED_ENCODING|SOCKET_NOT_CONNECTED|ABORTED|FAILED)/;

/** @template [Under=Server] */
export class World {
  /** @param {Under & Over} server */
  constructor(server) {
    this.server = server;
    /** @type {Person[]} */
    this.people = [];
  }

  /**
   * @param {Role} role
   * @param {Manner} [manner]
   * @returns {Promise<{ person: Person, page: Page, words: import("./words.mjs").Words, tag: Tag }>}
   */
  async open(role, manner = {}) {
    const all = {
      language: /** @type {Tag} */ ("ko"),
      dark: false,
      size: /** @type {"phone" | "desktop"} */ (role === "operator" ? "desktop" : "phone"),
      origin: this.server.origin,
      isBlank: false,
      ...manner,
    };
    const context = await (await browser()).newContext({
      viewport: SIZES[all.size],
      locale: LOCALES[all.language],
      timezoneId: ZONE,
      colorScheme: all.dark ? "dark" : "light",
      reducedMotion: "reduce",
      isMobile: all.size === "phone",
      hasTouch: all.size === "phone",
    });
    context.setDefaultTimeout(WAIT_MS_MAX);
    const person = new Person(context, role, all);
    this.people.push(person);
    await listen(person);
    const page = all.isBlank ? await context.newPage() : await person.tab();
    return { person, page, words: person.words, tag: all.language };
  }

  assertClean() {
    for (const person of this.people) person.assertClean();
  }

  /**
   * What everybody sees, for whoever looks why a walk failed.
   * @param {string} name
   */
  async picture(name) {
    mkdirSync(FAILED, { recursive: true });
    for (const [number, page] of this.people.flatMap((person) => person.context.pages()).entries()) {
      const path = join(FAILED, `${name.replaceAll(/[^a-z0-9]+/gi, "-")}-${number + 1}.png`);
      try {
        await page.screenshot({ path });
        console.error(`${path}\n${page.url()}\n${await page.locator("body").ariaSnapshot()}`);
      } catch (error) {
        console.error(`${path}: ${error}`);
      }
    }
    console.error(`the server said: ${this.server.said}`);
  }

  async end() {
    await Promise.all(this.people.map((person) => person.context.close()));
    await this.server.end();
  }
}

/** Hears every complaint of a browser, also those about its policy. @param {Person} person */
async function listen(person) {
  const { context, faults } = person;
  context.on("console", (message) => {
    if (message.type() !== "error" && message.type() !== "warning") return;
    faults.push(`${message.type()}: ${message.text()} (${message.location().url})`);
  });
  context.on("weberror", (error) => void faults.push(`page error: ${error.error().stack ?? error.error()}`));
  await context.exposeBinding("policyRefused", (_, told) => void faults.push(`policy: ${told}`));
  await context.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      // @ts-ignore it is bound above
      window.policyRefused(`${event.effectiveDirective} refuses ${event.blockedURI} ${event.sample}`);
    });
  });
}

let isClosedAfter = false;

/**
 * A walk through a world of its own, in which nobody's browser may complain.
 * @param {string} name
 * @param {(world: World) => Promise<void>} steps
 */
export function walk(name, steps) {
  walkOver(name, Server, steps);
}

/**
 * The same over something else.
 * @template {Over} Under
 * @param {string} name
 * @param {{ start(): Promise<Under> }} under
 * @param {(world: World<Under>) => Promise<void>} steps
 */
export function walkOver(name, under, steps) {
  if (!isClosedAfter) test.after(closeBrowser);
  isClosedAfter = true;
  test(name, { timeout: WALK_MS_MAX }, async () => {
    const world = new World(await under.start());
    try {
      await steps(world);
      world.assertClean();
    } catch (error) {
      await world.picture(name);
      throw error;
    } finally {
      await world.end();
    }
  });
}
