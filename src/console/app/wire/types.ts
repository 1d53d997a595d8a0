/** JSON-RPC as the console sees it: whatever a server sends, nothing of it is taken for granted. @module */

/** A JSON object of unknown content. */
export type Json = Record<string, unknown>;

/** An error, with what in it could be read. */
export interface RpcError {
  readonly code?: number;
  readonly message?: string;
  readonly data?: unknown;
}

/** A message, in either direction. */
export interface Message {
  readonly jsonrpc?: string;
  readonly id?: string | number;
  readonly method?: string;
  readonly params?: Json;
  readonly result?: Json;
  readonly error?: RpcError;
}

/** What came of a request: its result, an error of the server's, or no answer at all, and why. */
export type Outcome =
  | { readonly type: "result"; readonly result: Json }
  | { readonly type: "error"; readonly error: RpcError }
  | { readonly type: "cancelled" }
  | { readonly type: "lost"; readonly reason: string };

/** Whether it is a JSON object. */
export function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** An error as the server sent it, with what in it can be read. */
export function errorIn(value: unknown): RpcError {
  if (!isObject(value)) return { message: JSON.stringify(value) };
  const { code, message, data } = value;
  return {
    ...(typeof code === "number" && { code }),
    ...(typeof message === "string" && { message }),
    ...(data !== undefined && { data }),
  };
}

/** The objects of a list that a server sent; whatever else is in it is passed over. */
export function objectsIn(value: unknown): Json[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

/** A text that a server sent, or undefined where it sent something else. */
export function textIn(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
