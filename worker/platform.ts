/**
 * What the public types say of the platform, without its global types: those come with the user's own
 * (`wrangler types`, or `@cloudflare/workers-types`), in one version or another, and JSR knows neither.
 * @module
 */
import type { DurableObject } from "cloudflare:workers";

/** A namespace of Durable Objects: a `DurableObjectNamespace` of the platform's types, whatever its class. */
export interface ObjectNamespace {
  idFromName(name: string): object;
  idFromString(id: string): object;
  newUniqueId(): object;
  jurisdiction(jurisdiction: never): object;
}

/** The `DurableObjectState` that the platform hands to an object's constructor. */
export type ObjectState = ConstructorParameters<typeof DurableObject>[0];

/** Where objects are kept: a `DurableObjectJurisdiction`. */
export type Jurisdiction = "eu" | "fedramp" | (string & {});
