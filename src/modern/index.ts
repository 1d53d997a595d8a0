/**
 * `holdfast/modern`: the 2026-07-28 era, on the official SDK v2 (`@modelcontextprotocol/server`), which
 * is an optional peer: nothing outside this entry imports it.
 * @module
 */
export { modernHandler, type ModernOptions } from "./handler.ts";
export type { ModernExtension } from "./extension.ts";
export { sealedState, type SealOptions } from "./sealed-state.ts";
