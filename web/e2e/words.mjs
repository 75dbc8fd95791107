// @ts-check
// The words of the pages, as their source has them, so that a walk reads what a person reads.
import { readFileSync } from "node:fs";
import ts from "typescript";

/** @typedef {"ko" | "en"} Tag */
/** @typedef {import("../src/words/en.ts").Words} Words */

/** @type {Record<Tag, any>} */
const all = { ko: await load("ko"), en: await load("en") };

/**
 * @param {Tag} tag
 * @returns {Words}
 */
export function words(tag) {
  return all[tag];
}

/** @param {Tag} tag */
async function load(tag) {
  const source = readFileSync(new URL(`../src/words/${tag}.ts`, import.meta.url), "utf8");
  const { outputText } = ts.transpileModule(source, { compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 } });
  const module = await import(`data:text/javascript,${encodeURIComponent(outputText)}`);
  return module[tag];
}
