/**
 * The session host over several processes: each session is in one of them, and any of them takes any request. What is
 * stored is in a database that they share; what must be fenced is fenced there.
 * @module
 */
import { createBackground } from "../background.ts";
import type { ChangeHub } from "../changes.ts";
import { messageOf } from "../log-text.ts";
import { createEndings, ENDED_TOPIC } from "../endings.ts";
import type { SessionHost } from "../host.ts";
import * as failures from "../jsonrpc/failures.ts";
import type { LocalHostOptions } from "../local/host.ts";
import { ANYTHING, FUNCTION, type Kind, needed, STRING } from "../setup.ts";
import { createRoom } from "../local/room.ts";
import { createSharedLimit } from "../local/shared-limit.ts";
import { type HoldfastOptions, resolveOptions } from "../options.ts";
import { createDelay } from "../session/calls/delays.ts";
import { SCHEMA_VERSION } from "../session/store/schema.ts";
import type { SessionLogs, Sessions } from "../sessions.ts";
import type { UserChannel } from "../user/state.ts";
import { within } from "../within.ts";
import { createCensus } from "./census.ts";
import { createClock, createElapsed } from "./clock.ts";
import type { Engine, NodeRow } from "./engine.ts";
import { createClusterHub } from "./hub.ts";
import { createInbound, type Inbound } from "./inbound.ts";
import { createGuestRefs } from "./guest-refs.ts";
import { createErrands, PAUSE_MS, sleep } from "./errands.ts";
import { createPeers } from "./peers.ts";
import { createPlaces } from "./places.ts";
import { createRefs } from "./refs.ts";
import { createRounds } from "./rounds.ts";
import { createSeal } from "./seal.ts";
import { clusterSessions } from "./sessions.ts";
import { NotHere } from "./owned.ts";
import { createTenure, type Tenure } from "./tenure.ts";

/** What the host serves, and how others reach it. */
export interface ClusterHostOptions<Env = unknown> extends Omit<LocalHostOptions<Env>, "database"> {
  /**
   * Where the other processes reach this one: the URL of its router, as in `http://10.0.0.7:8787`, `basePath` aside. Requests between
   * processes carry what clients send, tokens too: their network must be private, or the URL https.
   */
  address: string;
  /**
   * How long a process that is not heard of keeps its sessions, in milliseconds, and so the longest that others wait to take
   * them. A whole number from 500 to 600000, 6000 by default; the same in all processes.
   */
  leaseMs?: number;
}

/** A host in one of several processes, and what its owner can ask of it. */
export interface ClusterHost extends SessionHost {
  /** Number of sessions in this process's memory now. */
  readonly inMemory: number;
  /** This process among the others, or undefined while it has yet to join them again. */
  readonly node: string | undefined;
  /** Carries changes to those who listen in any process, and to sessions. */
  readonly hub: ChangeHub;
  readonly sessions: Sessions;
  /** Answers what other processes ask. */
  readonly inbound: Inbound;
  /**
   * Ends this process's streams, with the hint to come back, answers calls in flight, and hands its sessions over: others
   * take them without a wait. Takes some four seconds at most.
   */
  close(): Promise<void>;
}

/** What is the host's own among its options, each with what it must be. */
export const HOST_OPTIONS: Required<{
  [Name in Exclude<keyof ClusterHostOptions, keyof HoldfastOptions>]: Kind;
}> = {
  createServer: needed(FUNCTION),
  env: ANYTHING,
  address: needed(STRING),
  evictAfterMs: ANYTHING,
  leaseMs: ANYTHING,
  guest: ANYTHING,
};

const CLOSE_MS = 2000;

/**
 * Makes the host and joins the others.
 * @throws {RangeError | TypeError} naming an option that is wrong
 */
export async function clusterHost<Env = unknown>(
  engine: Engine,
  options: ClusterHostOptions<Env>,
): Promise<ClusterHost> {
  const { createServer, evictAfterMs = 60_000, leaseMs = 6000 } = options;
  const settings = resolveOptions(options);
  const address = checkAddress(options.address) + settings.basePath;
  const { emit } = settings;
  checkWhole("evictAfterMs", evictAfterMs, [10, 86_400_000]);
  checkWhole("leaseMs", leaseMs, [500, 600_000]);
  const seal = createSeal(await engine.open());
  const clock = createClock();
  const elapsed = createElapsed();
  const census = createCensus(engine, settings, clock.now);
  const peers = createPeers(seal, emit);
  const endings = createEndings();
  const quick = createDelay(settings.quickAnswerMs);
  const room = createRoom(settings.maxResidents);
  let tenure: Tenure | undefined;
  let closing: Promise<void> | undefined;
  let logs: SessionLogs | undefined;

  const places = createPlaces({ engine, emit, onFenced: peers.lose });

  const background = createBackground(emit, { now: Date.now });

  const join = async (): Promise<void> => {
    const node: NodeRow = { id: crypto.randomUUID(), address, schema: SCHEMA_VERSION };
    const since = elapsed.mark();
    clock.heard(await engine.join(node, leaseMs));
    emit("cluster.joined", { node: node.id, address });
    tenure = createTenure<Env>({
      node: node.id,
      address,
      since,
      engine,
      clock,
      settings,
      createServer,
      env: options.env as Env,
      leaseMs,
      evictAfterMs,
      room,
      quick,
      census,
      changes: hub.changes,
      userChannel,
      background,
      mint: seal.mint,
      isLive,
      logs: () => logs,
      guest: options.guest,
      isGuest: (id) => seal.isOwn(id, "guest"),
      bus: hub.bus,
      onOver(why) {
        tenure = undefined;
        // Of one whose database was put back, the node may stand as alive, with sessions that nobody looks after.
        if (why === "lost") void engine.fence(node.id, false).catch(() => {});
        void rejoin();
      },
    });
  };

  const rejoin = async (): Promise<void> => {
    for (
      let pause = PAUSE_MS;
      closing === undefined && tenure === undefined;
      pause = Math.min(2 * pause, 1000)
    ) {
      try {
        await join();
      } catch (error) {
        emit("cluster.unreachable", { message: messageOf(error) });
        await sleep(pause);
      }
    }
  };

  const run = createErrands({
    emit,
    places,
    tenure: () => tenure,
    isClosing: () => closing !== undefined,
  });

  const unknown = (failure: failures.Failure): boolean => {
    if (failure === failures.sessionNotFound) return false;
    throw new Error(failure.error.message);
  };

  const isLive = (id: string): Promise<boolean> =>
    run(id, {
      here: (at, owned) => at.isLive(owned),
      there: (node) => peers.isLive({ node, session: id }),
      refused: unknown,
    });

  const userChannel =
    (name: string): UserChannel =>
    (request) =>
      engine.user(name, request, settings.maxUserStateBytes);

  const hub = createClusterHub({
    engine,
    emit,
    isSelf: ({ id }) => id === tenure?.node,
    publish: peers.publish,
    notify: (session, topic, changes) =>
      run(session, {
        here: (at, owned) => at.notify(owned, changes),
        there: (node) => peers.notify({ node, session }, topic, changes),
        refused: (failure) => void unknown(failure),
      }),
  });

  const refs = createRefs({ run, peers, tenure: () => tenure, isClosing: () => closing !== undefined });
  const guests = createGuestRefs({ kind: options.guest, seal, run, peers, tenure: () => tenure });

  const sessions = clusterSessions({
    engine,
    isOwn: seal.isOwn,
    async shutOut(principal) {
      endings.end(principal);
      await hub.announce(ENDED_TOPIC, { kind: "resource_updated", uri: principal });
    },
    inspect: (id) =>
      run(id, {
        here: (at, owned) => at.inspect(owned),
        there: (node) => peers.inspect({ node, session: id }),
        refused: (failure) => void unknown(failure),
      }),
    terminate: (id) =>
      run(id, {
        here: (at, owned) => at.terminate(owned),
        there: (node) => peers.terminate({ node, session: id }),
        refused: unknown,
      }),
  });

  const inbound = createInbound({
    seal,
    settings,
    node: () => (closing === undefined ? tenure?.node : undefined),
    publish(topic, changes) {
      if (topic !== ENDED_TOPIC) return hub.tellHere(topic, changes);
      for (const change of changes) if (change.kind === "resource_updated") endings.end(change.uri);
    },
    async here(session, mayCreate) {
      if (tenure === undefined) throw new NotHere();
      const place = await places.locate(tenure, session, mayCreate).catch(() => undefined);
      if (place?.kind !== "here") throw new NotHere();
      return place;
    },
  });

  const rounds = createRounds({
    engine,
    places,
    peers,
    census,
    leaseMs,
    hasGuests: options.guest !== undefined,
    tenure: () => tenure,
  });

  await join();
  await rounds.look();
  rounds.start();

  const close = async (): Promise<void> => {
    rounds.stop();
    peers.close();
    await tenure?.close(CLOSE_MS);
    tenure = undefined;
    await within(
      engine.close().catch(() => {}),
      CLOSE_MS,
    );
  };

  return {
    get inMemory() {
      return tenure?.inMemory ?? 0;
    },
    get node() {
      return tenure?.node;
    },
    hub,
    sessions,
    endings,
    inbound,
    find: (id) => (seal.isOwn(id) ? refs.to(id, false) : undefined),
    mint: () => refs.fresh(seal.mint()),
    named: (name) => refs.to(seal.named(name), true),
    user: userChannel,
    keep: background.waitUntil,
    limit: createSharedLimit,
    guests: () => guests,
    keepLogs: (given) => void (logs ??= given),
    close: () => (closing ??= close()),
  };
}

function checkWhole(name: string, value: number, [least, most]: readonly [number, number]): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new RangeError(`${name} must be a whole number from ${least} to ${most}, not ${String(value)}`);
}

/** @throws {TypeError} for what is no URL of http */
function checkAddress(address: string): string {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.search !== "" || url.hash !== "") {
    throw new TypeError(`address must be a URL such as http://10.0.0.7:8787, not ${address}`);
  }
  return url.href.replace(/\/+$/, "");
}
