// @ts-check
// The real binary, on ports that are free and over a directory that is thrown away.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";

export const TOKEN = "walks-operator-token-0123456789abcdef";
/** Of another: as long, and wrong. */
export const WRONG_TOKEN = "walks-operator-token-of-somebody-else";

const PORTS = ["gateway", "call", "payment", "drive", "view", "web"];
/** What is said last once it listens. */
const LAST_LINE = "/events?from=0";
const START_MS_MAX = 30_000;
const UNTIL_MS_MAX = 20_000;
const UNTIL_MS_STEP = 25;

/** @type {Set<import("node:child_process").ChildProcess>} */
const running = new Set();
/** @type {Set<string>} */
const folders = new Set();

// Whatever ends this process, nothing of it stays.
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

export class Server {
  /** @param {Record<string, string>} settings by the names of the environment, without their prefix */
  constructor(settings) {
    this.folder = mkdtempSync(join(tmpdir(), "taxisvc-walk-"));
    folders.add(this.folder);
    this.settings = settings;
    /** @type {Record<string, string>} */
    this.addresses = {};
    /** @type {import("node:child_process").ChildProcess | null} */
    this.child = null;
    this.said = "";
  }

  /** @param {Record<string, string>} [settings] */
  static async start(settings = {}) {
    const server = new Server(settings);
    await server.begin();
    return server;
  }

  /** The one entry. */
  get origin() {
    return this.address("gateway");
  }

  /** @param {string} name */
  address(name) {
    const address = this.addresses[name];
    assert(address !== undefined, `no port is called ${name}`);
    return address;
  }

  /** Starts it, the second time where it was. */
  async begin() {
    await until("the server to start", async () => {
      if (await this.tryBegin()) return true;
      // The last process may not have let go of its ports yet.
      assert(this.said.includes("cannot listen on"), `the server does not start: ${this.said}`);
      return false;
    });
  }

  async tryBegin() {
    this.said = "";
    const child = spawn(binary(), ["up", "--data", "data"], { cwd: this.folder, env: this.environment(), stdio: ["ignore", "pipe", "pipe"] });
    running.add(child);
    child.once("exit", () => running.delete(child));
    child.stderr.setEncoding("utf8").on("data", (text) => (this.said += text));
    const late = setTimeout(() => child.kill("SIGKILL"), START_MS_MAX);
    let isUp = false;
    for await (const line of createInterface({ input: child.stdout })) {
      const [name, address] = line.trim().split(/ +http:\/\//);
      if (name && address && PORTS.includes(name)) this.addresses[name] = `http://${address}`;
      isUp = line.includes(LAST_LINE);
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
    assert(child !== null && child.exitCode === null && child.signalCode === null, `the server died by itself: ${this.said}`);
    this.child = null;
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
  }

  /** Ends it; it must have lived until now, unless it was killed. */
  async end() {
    try {
      if (this.child) await this.kill();
    } finally {
      rmSync(this.folder, { recursive: true, force: true });
      folders.delete(this.folder);
    }
  }

  environment() {
    const own = Object.entries(process.env).filter(([name]) => !name.startsWith("TAXISVC_"));
    const ports = PORTS.map((port) => [port, this.addresses[port]?.split(":").at(-1) ?? "0"]);
    const settings = {
      LOG: "warn",
      OPERATOR_TOKEN: TOKEN,
      PROVIDER_OBEY_TEST_METHODS: "true",
      ...Object.fromEntries(ports.map(([port, number]) => [`PORTS_${port?.toUpperCase()}`, number])),
      ...this.settings,
    };
    const named = Object.entries(settings).map(([name, value]) => [`TAXISVC_${name}`, value]);
    return { ...Object.fromEntries(own), HOME: this.folder, ...Object.fromEntries(named) };
  }

  /**
   * Runs one of the binary's commands on the data of a server that is killed.
   * @param {string[]} words
   */
  command(...words) {
    return spawnSync(binary(), words, { cwd: this.folder, env: { ...this.environment(), TAXISVC_DATA: "data" }, encoding: "utf8" });
  }

  /**
   * @param {string} path
   * @param {RequestInit} [request]
   */
  ask(path, request = {}) {
    const headers = { authorization: `Bearer ${TOKEN}`, ...request.headers };
    return fetch(this.origin + path, { ...request, headers });
  }

  /** @param {string} path */
  async get(path) {
    const response = await this.ask(path);
    assert(response.ok, `${path}: ${response.status}`);
    return /** @type {any} */ (await response.json());
  }

  /**
   * @param {string} path
   * @param {unknown} body
   * @param {Record<string, string>} [headers]
   */
  async post(path, body, headers = {}) {
    const response = await this.ask(path, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
    });
    assert(response.ok, `${path}: ${response.status} ${await response.clone().text()}`);
    return /** @type {any} */ (await response.json());
  }

  /**
   * Calls a taxi as a program would, and waits until it is as wanted.
   * @param {{ distance?: number, userId?: string, userName?: string, paymentMethod?: string }} [call]
   * @param {string} [status]
   * @returns {Promise<number>}
   */
  async call(call = {}, status) {
    const placed = await this.post("/calls", { userId: "7", userName: "eojin", distance: 10, ...call });
    if (status) await this.comesTo(placed.callId, status);
    return placed.callId;
  }

  /**
   * @param {number} call
   * @param {string} status of the call, or what became of its fare
   */
  async comesTo(call, status) {
    await until(`call ${call} to be ${status}`, async () => {
      const response = await this.ask(`/callViews/${call}`);
      const view = response.ok ? await response.json() : {};
      return view.callStatus === status || view.payStatus === status;
    });
  }

  async calls() {
    return (await this.get("/calls?size=1")).page.totalElements;
  }

  /** @param {string} name of a figure, with its labels if it has any */
  async metric(name) {
    const text = await (await this.ask("/metrics")).text();
    const line = text.split("\n").find((line) => line.startsWith(`${name} `));
    assert(line !== undefined, `nothing is called ${name}`);
    return Number(line.split(" ").at(-1));
  }
}

function binary() {
  const path = process.env["TAXISVC_BINARY"];
  assert(path, "TAXISVC_BINARY says which binary; `cargo xtask web` sets it");
  return path;
}
