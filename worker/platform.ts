/**
 * What the public types say of the platform, without its global types: those come with the user's own
 * (`wrangler types`, or `@cloudflare/workers-types`), in one version or another, and JSR knows neither.
 * @module
 */
import type { DurableObject } from "cloudflare:workers";

/** A namespace of Durable Objects: a `DurableObjectNamespace` of the platform's types, whatever its class. */
export interface ObjectNamespace {
  /** The id of the object of this name, the same each time. */
  idFromName(name: string): object;
  /** An id from its text; throws for what this namespace did not make. */
  idFromString(id: string): object;
  /** An id that nobody has, and nobody can guess. */
  newUniqueId(): object;
  /** The part of the namespace whose objects stay within a jurisdiction. */
  jurisdiction(jurisdiction: never): object;
}

/** The `DurableObjectState` that the platform hands to an object's constructor. */
export type ObjectState = ConstructorParameters<typeof DurableObject>[0];

/** Where objects are kept: a `DurableObjectJurisdiction`. */
export type Jurisdiction = "eu" | "fedramp" | (string & {});
