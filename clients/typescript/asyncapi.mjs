// Holds a document against AsyncAPI's own schema of its version.

import { readFileSync } from "node:fs";
import Ajv from "ajv";
import addFormats from "ajv-formats";
import specs from "@asyncapi/specs";

const document = JSON.parse(readFileSync(process.argv[2], "utf8"));
const ajv = new Ajv({ strict: false, allErrors: true });
addFormats(ajv);
const isValid = ajv.compile(specs.schemasWithoutId[document.asyncapi]);
if (!isValid(document)) {
  console.error(isValid.errors);
  process.exit(1);
}
console.log(`${process.argv[2]} is AsyncAPI ${document.asyncapi}`);
