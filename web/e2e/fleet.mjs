// @ts-check
// Each service a process of its own over Kafka and PostgreSQL, behind a gateway.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { Process, makeFolder, removeFolder, until } from "./process.mjs";
import { Asked, SETTINGS } from "./server.mjs";

const ROLES = /** @type {const} */ (["call", "payment", "drive", "view"]);
/** @typedef {(typeof ROLES)[number]} Role */

export class Fleet extends Asked {
  constructor() {
    super();
    this.folder = makeFolder();
    this.postgres = said("TAXISVC_TEST_POSTGRES");
    // Databases and a topic of its own on what is shared.
    this.name = `walk_${randomBytes(6).toString("hex")}`;
    const settings = {
      ...SETTINGS,
      STORE_KIND: "postgres",
      KAFKA_BROKERS: said("TAXISVC_TEST_KAFKA"),
      KAFKA_TOPIC: this.name,
      ...Object.fromEntries(ROLES.map((role) => [`POSTGRES_${role.toUpperCase()}`, this.database(role)])),
    };
    this.settings = settings;
    const process = (/** @type {string} */ role) => new Process(this.folder, [role], [role], settings);
    this.roles = { call: process("call"), payment: process("payment"), drive: process("drive"), view: process("view") };
    this.gateway = process("gateway");
  }

  static async start() {
    const fleet = new Fleet();
    try {
      for (const role of ROLES) fleet.sql(`CREATE DATABASE ${fleet.name}_${role}`);
      await Promise.all(ROLES.map((role) => fleet.roles[role].begin()));
      for (const role of ROLES) {
        fleet.gateway.settings = { ...fleet.gateway.settings, [`UPSTREAMS_${role.toUpperCase()}`]: new URL(fleet.roles[role].address(role)).host };
      }
      await fleet.gateway.begin();
      for (const process of [...Object.values(fleet.roles), fleet.gateway]) await isReady(process);
      return fleet;
    } catch (error) {
      await fleet.end();
      throw error;
    }
  }

  get origin() {
    return this.gateway.address("gateway");
  }

  get said() {
    return [...Object.values(this.roles), this.gateway].map((process) => process.said).join("");
  }

  /** @param {Role} role */
  async killOne(role) {
    await this.roles[role].kill();
  }

  /** @param {Role} role */
  async beginOne(role) {
    await this.roles[role].begin();
    await isReady(this.roles[role]);
  }

  async end() {
    try {
      for (const process of [this.gateway, ...Object.values(this.roles)]) await process.end();
    } finally {
      for (const role of ROLES) this.sql(`DROP DATABASE IF EXISTS ${this.name}_${role} WITH (FORCE)`);
      removeFolder(this.folder);
    }
  }

  /** @param {Role} role */
  database(role) {
    const url = new URL(this.postgres);
    url.pathname = `/${this.name}_${role}`;
    return url.href;
  }

  /** @param {string} statement */
  sql(statement) {
    const ran = spawnSync("psql", [this.postgres, "--quiet", "--command", statement], { encoding: "utf8" });
    assert.equal(ran.status, 0, ran.stderr);
  }
}

/** @param {Process} process */
async function isReady(process) {
  const [name] = process.ports;
  await until(`${name} to be ready`, async () => {
    const answer = await fetch(`${process.address(name ?? "")}/health/ready`).catch(() => null);
    return answer?.ok;
  });
}

/** @param {string} name */
function said(name) {
  const value = process.env[name];
  assert(value, `${name} says where; \`cargo xtask ci\` sets it`);
  return value;
}
