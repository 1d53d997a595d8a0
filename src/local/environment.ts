/** The environment of this process: the one adapter of its variables. @module */
import process from "node:process";
import { OPTIONS } from "../options.ts";
import { environmentName, OF_PROGRAMS, type Variables } from "../variables.ts";

/** The part of `Deno` that is used: this file compiles without Deno's types. */
interface Permissions {
  querySync(asked: { name: "env"; variable?: string }): { readonly state: string };
}

/**
 * The variables that may be read. Deno asks its user for what it has not been allowed, or throws: nothing is read there
 * but what has been.
 */
export function environment(): Variables {
  const { permissions } = (globalThis as { Deno?: { permissions: Permissions } }).Deno ?? {};
  if (permissions === undefined || permissions.querySync({ name: "env" }).state === "granted") {
    return process.env;
  }
  const variables: Record<string, unknown> = {};
  for (const variable of ["PORT", ...[...Object.keys(OPTIONS), ...OF_PROGRAMS].map(environmentName)]) {
    const isGranted = permissions.querySync({ name: "env", variable }).state === "granted";
    if (isGranted) variables[variable] = process.env[variable];
  }
  return variables;
}
