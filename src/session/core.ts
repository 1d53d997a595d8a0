/**
 * What the parts of a session share: its row, its alarm, its streams, its side of the hub. One object, which each part
 * is given whole: a session in memory is mostly what its parts keep of one another.
 * @module
 */
import { type Background, createBackground, type WaitUntil } from "../background.ts";
import type { Notifier } from "../changes.ts";
import type { EventSink } from "../events.ts";
import type { Caller } from "../host.ts";
import type { ServingSide } from "./calls/side.ts";
import { createConfirm } from "./confirm.ts";
import { createDeadlines, type Deadlines } from "./deadlines.ts";
import type { Interest, Interested } from "./interest.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { SessionOptions } from "./ports.ts";
import type { Confirm } from "./server/call.ts";
import type { SessionRow } from "./store/schema.ts";
import type { SessionStore } from "./store/store.ts";
import type { Stream } from "./streams/stream.ts";
import { createStreams, type Streams } from "./streams/streams.ts";

/** The session itself, to its parts. */
export class SessionCore<Env> implements ServingSide<Env>, Interested {
  readonly options: SessionOptions<Env>;
  readonly lifecycle: Lifecycle;
  readonly deadlines: Deadlines;
  /** Undefined where there is no hub. */
  readonly interest: Interest | undefined;
  readonly confirm: Confirm | undefined;
  /** The factory's `context.waitUntil`, which may be passed on by itself. */
  readonly waitUntil: WaitUntil = (promise) => this.#works().waitUntil(promise);
  readonly #onBusy: () => void;
  /** What goes on beyond its call: most sessions have none of it. */
  #background: Background | undefined;
  #streams: Streams | undefined;
  #topic: string | undefined;
  #isKeyed = false;

  /** @param onBusy hears that something goes on beyond its call where nothing did */
  constructor(options: SessionOptions<Env>, lifecycle: Lifecycle, onBusy: () => void) {
    this.options = options;
    this.lifecycle = lifecycle;
    this.#onBusy = onBusy;
    this.deadlines = createDeadlines(options.alarm, options.now);
    this.interest = options.interest?.(this);
    this.confirm = this.interest && createConfirm(options.store, this.interest);
  }

  get id(): string {
    return this.options.id;
  }

  get store(): SessionStore {
    return this.options.store;
  }

  get emit(): EventSink {
    return this.options.settings.emit;
  }

  get notify(): Notifier | undefined {
    return this.interest?.notify;
  }

  isLive(): boolean {
    return this.lifecycle.live() !== undefined;
  }

  /** True while something goes on beyond its call. */
  isBusy(): boolean {
    return this.#background?.isBusy() ?? false;
  }

  topic(): string | undefined {
    return this.#topic;
  }

  isKeyed(): boolean {
    return this.#isKeyed;
  }

  /** Takes note of the caller's topic. Most requests name none: there is but the default one. */
  ofTopic({ topic }: Caller): void {
    if (topic === undefined) return;
    this.#topic = topic;
    this.interest?.by(topic);
  }

  /** The session is found by its client's key, where a request says so: each of its requests does. */
  keyedBy(request: { readonly keyed?: unknown }): void {
    if (request.keyed !== undefined) this.#isKeyed = true;
  }

  by(at: number): void {
    void this.deadlines.by(at);
  }

  ringIn(ms: number): void {
    this.by(this.options.now() + ms);
  }

  streamsOf(row: SessionRow): Streams {
    const { store, settings, now } = this.options;
    return (this.#streams ??= createStreams({ row, store, limits: settings, now, emit: settings.emit }));
  }

  /** The streams, where any has been needed. */
  streams(): Streams | undefined {
    return this.#streams;
  }

  /** Streams with a connection. */
  attached(): Stream[] {
    return this.#streams?.attached() ?? [];
  }

  /** Ends all connections; the streams are as they are stored. */
  dropStreams(reason: "deleted" | "shutdown"): void {
    this.#streams?.close(reason);
    this.#streams = undefined;
  }

  #works(): Background {
    const { settings, keep, now } = this.options;
    return (this.#background ??= createBackground(settings.emit, {
      keep,
      onBusy: this.#onBusy,
      // As long as the call that it comes from might have run.
      mostMs: settings.maxCallMs || Infinity,
      now,
    }));
  }
}

/** The same, for parts that build no server. */
export interface Core extends Omit<SessionCore<unknown>, "options"> {
  readonly options: Omit<SessionOptions<unknown>, "createServer" | "env">;
}
