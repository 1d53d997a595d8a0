#!/usr/bin/env node
/** `npm create holdfast [folder] [-- --template worker]`: asks for what is not said, and copies a template. @module */
import process from "node:process";
import { parseArgs } from "node:util";
import { cancel, intro, isCancel, outro, select, text } from "@clack/prompts";
import { CHOICES, create, refuse } from "./create.js";

/** @param {unknown} answer */
const orLeave = (answer) => {
  if (!isCancel(answer)) return String(answer);
  cancel("Nothing was made.");
  process.exit(1);
};

try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { template: { type: "string", short: "t" } },
  });
  const isAsked = positionals[0] === undefined || values.template === undefined;
  if (isAsked && !process.stdin.isTTY) {
    throw new Error(
      `Say all of it: npm create holdfast FOLDER -- --template ${CHOICES.map(({ value }) => value).join("|")}`,
    );
  }
  intro("An MCP server that does not let go");
  const directory =
    positionals[0] ??
    orLeave(await text({ message: "Which folder?", initialValue: "my-mcp-server", validate: refuse }));
  const template =
    values.template ?? orLeave(await select({ message: "Where will it run?", options: CHOICES }));
  outro(`Next: ${create(template, directory)}`);
} catch (error) {
  cancel(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
