// @ts-check
// The binary as a process, over a folder that is thrown away; whatever ends this process, nothing of it stays.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";

/** What is said last once everything listens: by all in one, and by a service by itself. */
const LAST_WORDS = ["/events?from=0", " listens on http://"];
const START_MS_MAX = 30_000;
const UNTIL_MS_MAX = 20_000;
const UNTIL_MS_STEP = 25;

/** Where it is there, it ends what this process has started also when this process is killed. */
const LEASH = spawnSync("setpriv", ["--version"]).status === 0 ? ["setpriv", "--pdeathsig", "KILL"] : [];

/** @typedef {Record<string, string>} Settings by the names of the environment, without their prefix */

/** @type {Set<import("node:child_process").ChildProcess>} */
const running = new Set();
/** @type {Set<string>} */
const folders = new Set();

process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => process.exit(130));

/**
 * Looks until it is so, and says what it is.
 * @template Found
 * @param {string} what
 * @param {() => Promise<Found> | Found} look
 * @returns {Promise<NonNullable<Found>>}
 */
export async function until(what, look) {
  const end = Date.now() + UNTIL_MS_MAX;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) assert.fail(`this never comes: ${what}`);
    await pause(UNTIL_MS_STEP);
  }
}

export function makeFolder() {
  const folder = mkdtempSync(join(tmpdir(), "taxisvc-walk-"));
  folders.add(folder);
  return folder;
}

/** @param {string} folder */
export function removeFolder(folder) {
  rmSync(folder, { recursive: true, force: true });
  folders.delete(folder);
}

/** A process that serves; it keeps its ports while it is away. */
export class Process {
  /**
   * @param {string} folder
   * @param {string[]} words what the binary is told
   * @param {string[]} ports the names of those that it listens on
   * @param {Settings} settings
   */
  constructor(folder, words, ports, settings) {
    this.folder = folder;
    this.words = words;
    this.ports = ports;
    this.settings = settings;
    /** @type {Record<string, string>} */
    this.addresses = {};
    /** @type {import("node:child_process").ChildProcess | null} */
    this.child = null;
    this.said = "";
  }

  /** @param {string} name */
  address(name) {
    const address = this.addresses[name];
    assert(address !== undefined, `no port is called ${name}`);
    return address;
  }

  /** Starts it, the second time where it was. */
  async begin() {
    await until(`${this.words[0]} to start`, async () => {
      if (await this.tryBegin()) return true;
      // The last process may not have let go of its ports yet.
      assert(this.said.includes("cannot listen on"), `${this.words[0]} does not start: ${this.said}`);
      return false;
    });
  }

  async tryBegin() {
    this.said = "";
    const [program, ...words] = /** @type {[string, ...string[]]} */ ([...LEASH, binary(), ...this.words]);
    const child = spawn(program, words, { cwd: this.folder, env: this.environment(), stdio: ["ignore", "pipe", "pipe"] });
    running.add(child);
    child.once("exit", () => running.delete(child));
    child.stderr.setEncoding("utf8").on("data", (text) => (this.said += text));
    const late = setTimeout(() => child.kill("SIGKILL"), START_MS_MAX);
    let isUp = false;
    for await (const line of createInterface({ input: child.stdout })) {
      const [before, address] = line.split("http://");
      const name = before?.trim().replace(/^taxisvc /, "").split(" ")[0];
      if (name && address && this.ports.includes(name)) this.addresses[name] = `http://${address.trim()}`;
      isUp = LAST_WORDS.some((words) => line.includes(words));
      if (isUp) break;
    }
    clearTimeout(late);
    if (!isUp) return false;
    // What more it says is nobody's, but a pipe that nobody reads would fill.
    child.stdout.resume();
    this.child = child;
    return true;
  }

  /** As if the power went. */
  async kill() {
    const child = this.child;
    assert(child !== null && child.exitCode === null && child.signalCode === null, `it died by itself: ${this.said}`);
    this.child = null;
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
  }

  /** Ends it; it must have lived until now, unless it was killed. */
  async end() {
    if (this.child) await this.kill();
  }

  environment() {
    const own = Object.entries(process.env).filter(([name]) => !name.startsWith("TAXISVC_"));
    const ports = this.ports.map((port) => [`PORTS_${port.toUpperCase()}`, this.addresses[port]?.split(":").at(-1) ?? "0"]);
    const settings = Object.entries({ ...Object.fromEntries(ports), ...this.settings });
    const named = settings.map(([name, value]) => [`TAXISVC_${name}`, value]);
    return { ...Object.fromEntries(own), HOME: this.folder, ...Object.fromEntries(named) };
  }

  /**
   * Runs one of the binary's commands.
   * @param {string[]} words
   */
  command(...words) {
    return spawnSync(binary(), words, { cwd: this.folder, env: this.environment(), encoding: "utf8" });
  }
}

function binary() {
  const path = process.env["TAXISVC_BINARY"];
  assert(path, "TAXISVC_BINARY says which binary; `cargo xtask web` sets it");
  return path;
}
