/** Whether somebody reads along: the one adapter of `node:tty`. @module */
import { isatty } from "node:tty";
import type { HoldfastOptions } from "../options.ts";

/** The options, with the form of the log decided: lines for people where standard output is a terminal. */
export function loggedHere<Options extends HoldfastOptions>(options: Options): Options {
  const { logFormat = "auto" } = options;
  return logFormat === "auto" && isatty(1) ? { ...options, logFormat: "pretty" } : options;
}
