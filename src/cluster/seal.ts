/**
 * Session ids that this cluster alone can issue, and requests that its own processes alone can make: the one adapter of
 * `node:crypto`, whose digests are there at once. An id is looked at before anything is asked of the database.
 * @module
 */
import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";

/** Characters of an id's own part, and of its seal: 128 bits each. */
const HALF = 32;

/** A fresh secret: 256 bits. */
export function newSecret(): string {
  return randomBytes(32).toString("hex");
}

/** What ids are of, `session` where it is not said: one of a guest is no session's. */
export type Sealed = "session" | "guest";

/** What the cluster's secret is good for. */
export interface Seal {
  /** A fresh id: 64 hexadecimal digits, of which the second half proves the first. */
  mint(of?: Sealed): string;
  /** The id of the session of this name (`nameOfParts`), the same each time. */
  named(name: string): string;
  /** False for an id that this cluster has not issued. */
  isOwn(id: string, of?: Sealed): boolean;
  /** The proof that one of the cluster's processes says this. */
  sign(...parts: readonly string[]): string;
  isSigned(signature: string, ...parts: readonly string[]): boolean;
}

/** By the secret that all processes have. */
export function createSeal(secret: string): Seal {
  const mac = (...parts: readonly string[]): string =>
    createHmac("sha256", secret).update(JSON.stringify(parts)).digest("hex");
  const sealed = (own: string, of: Sealed = "session"): string => own + mac(of, own).slice(0, HALF);
  return {
    mint: (of) => sealed(randomBytes(HALF / 2).toString("hex"), of),
    named: (name) => sealed(name.slice(0, HALF)),
    isOwn: (id, of) => /^[0-9a-f]{64}$/.test(id) && isEqual(id, sealed(id.slice(0, HALF), of)),
    sign: (...parts) => mac("request", ...parts),
    isSigned: (signature, ...parts) => isEqual(signature, mac("request", ...parts)),
  };
}

/** The SHA-256 of a text, in hexadecimal digits. */
export function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

const encoder = new TextEncoder();

function isEqual(one: string, other: string): boolean {
  const [a, b] = [encoder.encode(one), encoder.encode(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}
