// @ts-check
// What the pages are walked over, asked as a program asks: all services in one process, or each by itself.
import assert from "node:assert/strict";
import { Process, makeFolder, removeFolder, until } from "./process.mjs";
/** @typedef {import("./process.mjs").Settings} Settings */

export const TOKEN = "walks-operator-token-0123456789abcdef";
/** Of another: as long, and wrong. */
export const WRONG_TOKEN = "walks-operator-token-of-somebody-else";

/** @type {Settings} */
export const SETTINGS = { LOG: "warn", OPERATOR_TOKEN: TOKEN, PROVIDER_OBEY_TEST_METHODS: "true" };

/** Whoever is asked. */
export class Asked {
  /** The one entry. @type {string} */
  get origin() {
    throw new Error("an heir says where");
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

/** All services in one process, over a directory of its own. */
export class Server extends Asked {
  /** @param {Settings} settings */
  constructor(settings) {
    super();
    const ports = ["gateway", "call", "payment", "drive", "view", "web"];
    this.process = new Process(makeFolder(), ["up"], ports, { DATA: "data", ...SETTINGS, ...settings });
  }

  /** @param {Settings} [settings] */
  static async start(settings = {}) {
    const server = new Server(settings);
    await server.begin();
    return server;
  }

  get folder() {
    return this.process.folder;
  }

  get said() {
    return this.process.said;
  }

  get origin() {
    return this.process.address("gateway");
  }

  begin() {
    return this.process.begin();
  }

  kill() {
    return this.process.kill();
  }

  async end() {
    try {
      await this.process.end();
    } finally {
      removeFolder(this.folder);
    }
  }
}
