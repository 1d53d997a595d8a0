/**
 * Where sessions are: in this process, in another, nowhere. One that is nobody's is taken; a process that has lost its
 * lease, or is gone from its address, is ended first, so that nothing it may still write counts.
 * @module
 */
import type { EventSink } from "../events.ts";
import { SCHEMA_VERSION } from "../session/store/schema.ts";
import type { Engine, Found, NodeRow, Owner } from "./engine.ts";
import type { Owned } from "./owned.ts";
import type { Tenure } from "./tenure.ts";

/** Where a session is. */
export type Place =
  | { readonly kind: "here"; readonly tenure: Tenure; readonly owned: Owned }
  | { readonly kind: "there"; readonly node: NodeRow }
  | { readonly kind: "nowhere" }
  /** Nobody's, and stored by a later version than this process, or any other that is alive, can read. */
  | { readonly kind: "later"; readonly found: number }
  /** It has just changed hands: to be asked again. */
  | { readonly kind: "moving" };

/** What finds sessions, and those who have them. */
export interface Places {
  /**
   * @param mayCreate takes the id where nothing is stored under it
   * Rejects where the database cannot be asked.
   */
  locate(tenure: Tenure, session: string, mayCreate: boolean): Promise<Place>;
  /** The session is not where it was found last. */
  forget(session: string): void;
  /** Nobody listens at the node's address. Ends it, unless that has happened before to one that turned out to be alive. */
  refused(node: NodeRow): Promise<void>;
  /** The node has answered. */
  reached(node: NodeRow): void;
  /** Nodes that are not ended where nobody listens, since that has happened before at their address: whether they answer is worth a question. */
  doubted(): NodeRow[];
  /** Looks who is alive, and ends those whose lease has run out. */
  look(tenure: Tenure): Promise<void>;
  isAlive(node: string): boolean;
}

/** Where is looked, and who hears of it. */
export interface PlacesOptions {
  readonly engine: Engine;
  readonly emit: EventSink;
  /** A node has been ended. */
  readonly onFenced: (node: string) => void;
}

/** Sessions of others whose owner is remembered. */
const MOST_REMEMBERED = 20_000;
/** An id that was taken and under which nothing came to be stored is free again after this, should this process die. */
const RESERVED_MS = 300_000;

/** Knows nobody before the first look. */
export function createPlaces({ engine, emit, onFenced }: PlacesOptions): Places {
  const remembered = new Map<string, NodeRow>();
  /** Those that were alive at the last look. */
  let members = new Map<string, Owner>();
  /** One question a session at a time. */
  const asking = new Map<string, Promise<Place>>();
  /** Addresses whose node was ended since nobody listened there, and that nobody has been reached at since. */
  const silent = new Set<string>();

  const fence = async ({ id, address }: NodeRow, reason: "expired" | "refused"): Promise<boolean> => {
    const isEnded = await engine.fence(id, reason === "expired");
    if (!isEnded) return false;
    emit("cluster.fenced", { node: id, address, reason });
    onFenced(id);
    return true;
  };

  const claim = async (tenure: Tenure, session: string, found: Found): Promise<Place> => {
    if (found.schema > SCHEMA_VERSION) {
      // Whoever can read it takes it; one that has just joined may not be known here yet.
      const ableAmong = (nodes: Iterable<Owner>): NodeRow | undefined =>
        [...nodes].find(({ schema }) => schema >= found.schema);
      const able = ableAmong(members.values()) ?? ableAmong(await engine.members());
      return able === undefined ? { kind: "later", found: found.schema } : { kind: "there", node: able };
    }
    const claimed = await engine.claim(session, tenure.node, found.claims);
    if (claimed === undefined) return { kind: "moving" };
    return { kind: "here", tenure, owned: tenure.take(session, claimed) };
  };

  const ask = async (tenure: Tenure, session: string, mayCreate: boolean): Promise<Place> => {
    const { departures } = tenure;
    const found = await engine.find(session);
    if (found === undefined) {
      if (!mayCreate) return { kind: "nowhere" };
      const isOurs = await engine.reserve(session, {
        node: tenure.node,
        schema: SCHEMA_VERSION,
        forMs: RESERVED_MS,
      });
      return isOurs ? { kind: "here", tenure, owned: tenure.take(session, "reserved") } : { kind: "moving" };
    }
    const { owner } = found;
    if (owner === undefined || !owner.isAlive) return claim(tenure, session, found);
    if (owner.id === tenure.node) {
      const held = tenure.owned(session);
      if (held !== undefined) return { kind: "here", tenure, owned: held };
      // Taken for its alarm, or by a statement whose answer did not come.
      const loaded = await engine.load(session, tenure.node);
      if (loaded === undefined || departures !== tenure.departures) return { kind: "moving" };
      return { kind: "here", tenure, owned: tenure.take(session, loaded) };
    }
    // Only by one that has had its own lease for so long: after an outage all have run out, and each has its chance.
    if (owner.isExpired && tenure.gate.isSteady() && (await fence(owner, "expired")))
      return { kind: "moving" };
    if (remembered.size >= MOST_REMEMBERED) {
      for (const oldest of remembered.keys()) {
        remembered.delete(oldest);
        break;
      }
    }
    remembered.set(session, owner);
    // It may have joined since the last look.
    members.set(owner.id, owner);
    return { kind: "there", node: owner };
  };

  return {
    async locate(tenure, session, mayCreate) {
      const owned = tenure.owned(session);
      if (owned !== undefined) {
        if (owned.leaving === undefined) return { kind: "here", tenure, owned };
        await owned.leaving;
        return { kind: "moving" };
      }
      const known = remembered.get(session);
      if (known !== undefined && members.has(known.id)) return { kind: "there", node: known };
      const name = `${mayCreate ? "+" : ""}${session}`;
      let asked = asking.get(name);
      if (asked === undefined) {
        asked = ask(tenure, session, mayCreate).finally(() => asking.delete(name));
        asking.set(name, asked);
      }
      return asked;
    },
    forget: (session) => void remembered.delete(session),
    async refused(node) {
      if (silent.has(node.address)) return;
      if (await fence(node, "refused")) silent.add(node.address);
    },
    reached: ({ address }) => void silent.delete(address),
    doubted: () =>
      silent.size === 0 ? [] : [...members.values()].filter(({ address }) => silent.has(address)),
    async look(tenure) {
      const alive = await engine.members();
      const next = new Map(alive.map((node) => [node.id, node]));
      if (tenure.gate.isSteady()) {
        for (const node of alive) {
          if (node.id !== tenure.node && node.isExpired && (await fence(node, "expired")))
            next.delete(node.id);
        }
      }
      members = next;
    },
    isAlive: (node) => members.has(node),
  };
}
