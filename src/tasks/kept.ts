/** A task as it is kept: its row, its texts and its state, changed as one unit, and told to whoever listens. @module */
import { shortId } from "../log-text.ts";
import type { GuestCount, GuestPlace } from "../guest.ts";
import type { Failure } from "../jsonrpc/failures.ts";
import type { JsonObject, JsonRpcErrorObject } from "../jsonrpc/messages.ts";
import { createState } from "../session/server/state.ts";
import type { SessionState } from "../session/server/factory.ts";
import { type Admission, turnedAway } from "./limits.ts";
import type { Outcome, TaskRecord } from "./record.ts";
import type { Begun } from "./run.ts";
import { fit } from "./saying.ts";
import { createTaskStore, type TaskTexts } from "./store.ts";

/** The name under which listeners hear of a task. */
export function signalOf(id: string): string {
  return `task ${id}`;
}

/** The task of one place, or the place for one. */
export interface Kept {
  /** Undefined where there is no task. */
  readonly record: TaskRecord | undefined;
  text<Name extends keyof TaskTexts>(name: Name): TaskTexts[Name] | undefined;
  /** The user's `task.state`. Until the call is a task it is held in memory. */
  readonly state: SessionState;
  /** Changes the task as one unit, and tells whoever listens. */
  change(
    fields: Partial<TaskRecord>,
    texts?: { [Name in keyof TaskTexts]?: TaskTexts[Name] | undefined },
  ): void;
  /** The task has come to its end. */
  over(status: "completed" | "failed" | "cancelled", fields: Partial<TaskRecord>, outcome?: Outcome): void;
  fail(error: JsonRpcErrorObject): void;
  /**
   * Stores the call as a task; or what to answer where there is no place for it.
   * @param elsewhere how many there are, as its storage does not know
   */
  create(call: Begun, statusMessage: string | null, elsewhere: GuestCount): Failure | undefined;
  /** The call of the task, to be begun once more. */
  begun(given: JsonObject | undefined, authInfo: unknown): Begun | undefined;
  /** Nothing of it is kept any more. */
  remove(): void;
}

/** What is stored in this place. */
export function openKept(place: GuestPlace, admission: Admission): Kept {
  const { id, settings, now } = place;
  const { emit } = settings;
  const store = createTaskStore(place.sql, id);
  let record = store.load();
  const state = createState(store.entries, settings.maxStateBytes, () => record === undefined);

  const change: Kept["change"] = (fields, texts) => {
    if (record === undefined) return;
    const changed = { updated: now(), version: record.version + 1, ...fields };
    store.update(changed, texts);
    record = { ...record, ...changed };
    place.bus(record.topic)?.publish({ kind: "signal", name: signalOf(id) });
  };

  const over: Kept["over"] = (status, fields, outcome) => {
    change({ ...fields, status, running: 0 }, { outcome, questions: undefined, given: undefined });
    emit("task.ended", { task: shortId(id), status });
  };

  return {
    get record() {
      return record;
    },
    text: store.text,
    state,
    change,
    over,
    fail: (error) => over("failed", { statusMessage: fit(error.message) }, { error }),
    create(call, statusMessage, elsewhere) {
      const here = store.count(call.principal);
      // Those who begin at once have all been told the same: what is stored here since is counted by that.
      const kept = { all: Math.max(here.all, elsewhere.all), own: Math.max(here.own, elsewhere.own) };
      const failure = turnedAway(call.principal, kept, admission);
      if (failure !== undefined) return failure;
      const at = now();
      const { ttlMs, pollIntervalMs } = admission.limits;
      const { taskId, principal, topic, origin } = call;
      const created: TaskRecord = {
        taskId,
        principal,
        topic,
        status: "working",
        statusMessage,
        created: at,
        updated: at,
        version: 1,
        ttlMs,
        pollIntervalMs,
        attempt: 1,
        round: 1,
        running: 1,
      };
      store.create(created, { call: call.call, origin }, () => {
        state.keep();
      });
      record = created;
      const tool = call.call.params?.["name"];
      emit("task.created", {
        task: shortId(id),
        tool: typeof tool === "string" ? tool.slice(0, 128) : undefined,
      });
      return undefined;
    },
    begun(given, authInfo) {
      const call = store.text("call");
      const origin = store.text("origin");
      return record && call && origin && { ...record, call, origin, given, authInfo };
    },
    remove() {
      store.remove();
      record = undefined;
    },
  };
}
