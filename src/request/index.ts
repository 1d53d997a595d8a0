/**
 * `holdfast/sessionless`: what serves requests that name no session, for a router of one's own (`createMcpRouter`).
 * `createMcpWorker` and `createLocalMcp` have it in them.
 * @module
 */
export { requestHandler, type RequestOptions } from "./handler.ts";
