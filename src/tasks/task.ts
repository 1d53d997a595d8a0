/**
 * One task where it lives: an object of its own on Workers, rows of the file in one process. It begins its call, keeps
 * what becomes of it, asks for input and takes the answers, and goes on or gives up after a restart.
 *
 * What can happen to it is decided in one place at a time: an object, or a process that owns its file. So a call that
 * the row has as running, and that is not in this memory, has died with its isolate.
 * @module
 */
import type { Caller } from "../caller.ts";
import { DEFAULT_TOPIC } from "../changes.ts";
import { messageOf, shortId } from "../log-text.ts";
import type { Guest, GuestCount, GuestPlace } from "../guest.ts";
import * as failures from "../jsonrpc/failures.ts";
import {
  isObject,
  type JsonObject,
  type JsonRpcErrorObject,
  type JsonRpcResponse,
} from "../jsonrpc/messages.ts";
import { weigh } from "../jsonrpc/weight.ts";
import type { Serve } from "../modern/extension.ts";
import { enterRoom, type Leave } from "../room.ts";
import { createDeadlines } from "../session/deadlines.ts";
import type { SessionState } from "../session/server/factory.ts";
import { within } from "../within.ts";
import { openKept } from "./kept.ts";
import type { Admission } from "./limits.ts";
import { answered, answersOf, openOf, questionsOf } from "./questions.ts";
import { detailedTaskOf, endOf, isOver, type TaskRecord, taskOf } from "./record.ts";
import { type Begun, originOf, type Run, startRun } from "./run.ts";
import { createSaying } from "./saying.ts";
import { type TaskReply, type TaskRequest, taskRequestFrom } from "./wire.ts";

/** What a task is given besides its place. */
export interface TaskOptions extends Admission {
  readonly serve: Serve;
}

/** How soon the alarm rings again while a call runs: it holds the object awake. */
const HOLD_MS = 20_000;
/** A tool that wants to be called again, and asks nothing, is called after this long. */
const AGAIN_MS = 1000;
/** Where storage cannot be read, the alarm tries again after this long. */
const SALVAGE_MS = 60_000;

const NONE: GuestCount = { all: 0, own: 0 };
/** Where nobody can say how many there are, there is no place for one more. */
const FULL: GuestCount = { all: Infinity, own: Infinity };

function errorOf({ error }: JsonRpcResponse): JsonRpcErrorObject {
  return error ?? failures.internalError.error;
}

/** The task that is stored in this place, or the place for one. */
export function openTask(place: GuestPlace, options: TaskOptions): Guest {
  const { id, settings, now } = place;
  const { limits, serve } = options;
  const { emit } = settings;
  const kept = openKept(place, options);
  const deadlines = createDeadlines(place.alarm, now);
  let run: Run | undefined;
  /** The call while it is no task yet: then nothing of it is stored. */
  let early: Begun | undefined;
  /** Gives back the room that the call takes while it is with a server. */
  let leave: Leave | undefined;

  /** False where there is no room for the call: it is not to be begun. */
  const enter = (...parts: readonly unknown[]): boolean => {
    leave ??= enterRoom(settings, weigh(JSON.stringify(parts)).bytes);
    return leave !== undefined;
  };
  const letGo = (): void => {
    leave?.();
    leave = undefined;
  };

  const saying = createSaying((statusMessage) => {
    if (kept.record !== undefined && run !== undefined) kept.change({ statusMessage });
  }, now);

  const failed = (error: unknown): void =>
    emit("send.error", { session: shortId(id), message: messageOf(error) });

  /** Arms the alarm for what is next: the task's end, and until then the call that runs. */
  const next = (): number | undefined =>
    kept.record && Math.min(endOf(kept.record), run === undefined ? Infinity : now() + HOLD_MS);

  /** Stores what has come of a round. */
  const settle = (call: Begun, { result, error }: JsonRpcResponse): void => {
    const { record, change, over, fail } = kept;
    if (record === undefined) return;
    if (error !== undefined || result === undefined) {
      return fail(error ?? errorOf(failures.unserialisable(call.call.id)));
    }
    if (result["resultType"] !== "input_required") {
      const bytes = JSON.stringify(result).length;
      const { maxEventBytes } = settings;
      if (bytes > maxEventBytes) return fail(errorOf(failures.tooLarge(call.call.id, bytes, maxEventBytes)));
      return over("completed", { statusMessage: null }, { result });
    }
    const { inputRequests, requestState } = result as { inputRequests?: JsonObject; requestState?: string };
    const round = record.round + 1;
    if (isObject(inputRequests) && Object.keys(inputRequests).length > 0) {
      const questions = questionsOf(record.round, inputRequests);
      return change({ status: "input_required", round, running: 0 }, { questions, requestState });
    }
    // It has asked for nothing but its own state back.
    const given = { requestState };
    change({ round }, { given });
    const timer = setTimeout(() => {
      if (run === pause) begin({ ...call, given });
    }, AGAIN_MS);
    const pause: Run = { abort: () => clearTimeout(timer), answered: new Promise<never>(() => {}) };
    run = pause;
  };

  /** Hands the call to a server. What it answers is stored, unless somebody has ended the run before. */
  const begin = (call: Begun): Run => {
    const mine: Run = startRun(call, {
      place,
      serve,
      ttlMs: kept.record?.ttlMs ?? limits.ttlMs,
      state: ofRun(() => run === mine),
      onProgress(message) {
        if (run === mine) saying.say(message);
      },
    });
    run = mine;
    void mine.answered.then((response) => {
      if (run !== mine) return;
      run = undefined;
      saying.stop();
      try {
        if (kept.record === undefined) early = undefined;
        else settle(call, response);
      } catch (error) {
        // The row still has it as running: whoever looks next finds it interrupted.
        failed(error);
      }
      if (run === undefined) letGo();
    });
    return mine;
  };

  /** A run that has been ended writes nothing more. */
  const ofRun = (isMine: () => boolean): SessionState => {
    const { state } = kept;
    const must = (): void => {
      if (!isMine()) throw new Error("The task has ended, or is run by another server");
    };
    return {
      ...state,
      set(name, value) {
        must();
        state.set(name, value);
      },
      delete(name) {
        must();
        return state.delete(name);
      },
    };
  };

  const stopRun = (): void => {
    const stopped = run;
    run = undefined;
    saying.stop();
    letGo();
    stopped?.abort();
  };

  /** Stores the call as a task; or what to answer where there is no place for it. */
  const create = (call: Begun, elsewhere: GuestCount): failures.Failure | undefined => {
    const failure = kept.create(call, saying.said() ?? null, elsewhere);
    if (failure === undefined) early = undefined;
    return failure;
  };

  const interrupted = (row: TaskRecord): void => {
    const call = kept.begun(kept.text("given"), undefined);
    const mayRun = call !== undefined && settings.rerun(call.call);
    const again = mayRun && row.attempt < limits.maxAttempts;
    emit("task.interrupted", { task: shortId(id), attempt: row.attempt, again });
    if (!again || call === undefined) {
      return kept.fail(errorOf(failures.interrupted(call?.call.id ?? "", mayRun)));
    }
    // It was in when it began, and there is nobody to be told to come again.
    enter(call.call);
    const attempt = row.attempt + 1;
    kept.change({ attempt });
    begin({ ...call, attempt });
  };

  /** Ends what is over, and takes up what an isolate has left behind. */
  const look = async (): Promise<void> => {
    const { record } = kept;
    if (record === undefined) return;
    if (endOf(record) <= now()) {
      stopRun();
      kept.remove();
      emit("task.expired", { task: shortId(id), status: record.status });
      await place.erase();
    } else if (record.running === 1 && run === undefined) {
      interrupted(record);
      await deadlines.by(next() ?? now());
    }
  };

  /** The task that this id names, once it has been looked after. */
  const find = async (taskId: string): Promise<TaskRecord | undefined> => {
    await look();
    const { record } = kept;
    return record?.taskId === taskId ? record : undefined;
  };

  const start = async (
    { taskId, call, atOnce }: Extract<TaskRequest, { op: "start" }>,
    caller: Caller,
  ): Promise<TaskReply> => {
    const { principal = null, topic = DEFAULT_TOPIC, authInfo } = caller;
    const countElsewhere = (): Promise<GuestCount> | GuestCount => place.count?.(principal) ?? NONE;
    let elsewhere = atOnce && kept.record === undefined ? await countElsewhere() : NONE;
    if (kept.record !== undefined) return { kind: "task", task: taskOf(kept.record) };
    if (run !== undefined) return { kind: "unreadable" };
    if (!enter(call)) return { kind: "refused", failure: failures.tooManyBodies };
    const begun: Begun = {
      taskId,
      principal,
      topic,
      call,
      origin: originOf(caller),
      attempt: 1,
      given: undefined,
      authInfo,
    };
    if (atOnce) {
      const failure = create(begun, elsewhere);
      if (failure !== undefined) return { kind: "refused", failure };
      begin(begun);
    } else {
      early = begun;
      const mine = begin(begun);
      const quick = await within(mine.answered, limits.afterMs);
      if (quick !== undefined) return { kind: "answered", response: quick };
      elsewhere = await Promise.resolve(countElsewhere()).catch(() => FULL);
      // Where there is no place for a task, the call goes on as one that is none.
      if (run !== mine || create(begun, elsewhere) !== undefined)
        return { kind: "answered", response: await mine.answered };
    }
    await deadlines.by(next() ?? now());
    const { record } = kept;
    return record === undefined ? { kind: "unknown" } : { kind: "task", task: taskOf(record) };
  };

  const update = async (
    row: TaskRecord,
    inputResponses: JsonObject,
    authInfo: unknown,
  ): Promise<TaskReply> => {
    const questions = row.status === "input_required" ? kept.text("questions") : undefined;
    const found = questions && answered(questions, inputResponses);
    if (found === undefined) return { kind: "done" };
    if ("failure" in found) return { kind: "refused", ...found };
    const all = found.questions;
    if (Object.keys(openOf(all)).length > 0) {
      kept.change({}, { questions: all });
      return { kind: "done" };
    }
    const requestState = kept.text("requestState");
    const given = { inputResponses: answersOf(all), ...(requestState !== undefined && { requestState }) };
    const call = kept.begun(given, authInfo);
    // Before anything of it is stored: the client may answer once more.
    if (!enter(call?.call, given)) return { kind: "refused", failure: failures.tooManyBodies };
    kept.change({ status: "working", running: 1 }, { given, questions: undefined, requestState: undefined });
    if (call !== undefined) begin(call);
    await deadlines.by(next() ?? now());
    return { kind: "done" };
  };

  const cancel = (row: TaskRecord): TaskReply => {
    if (!isOver(row)) {
      stopRun();
      kept.over("cancelled", { statusMessage: null });
    }
    return { kind: "done" };
  };

  const answer = async (request: TaskRequest, caller: Caller | undefined): Promise<TaskReply> => {
    if (request.op === "start") return caller === undefined ? { kind: "unreadable" } : start(request, caller);
    const { op, taskId } = request;
    if (op === "leave" && early?.taskId === taskId) {
      // Its own answer ends the wait for it.
      run?.abort();
      return { kind: "done" };
    }
    const row = await find(taskId);
    if (row === undefined) return { kind: "unknown" };
    if (op === "update") return update(row, request.inputResponses, caller?.authInfo);
    if (op !== "get") return cancel(row);
    const said = run === undefined ? undefined : saying.said();
    const task = detailedTaskOf(said === undefined ? row : { ...row, statusMessage: said }, {
      outcome: isOver(row) ? kept.text("outcome") : undefined,
      questions: row.status === "input_required" ? kept.text("questions") : undefined,
    });
    return { kind: "detailed", task, version: row.version };
  };

  return {
    async ask(request, caller) {
      const asked = taskRequestFrom(request);
      try {
        const reply: TaskReply = asked === undefined ? { kind: "unreadable" } : await answer(asked, caller);
        return reply as unknown as JsonObject;
      } finally {
        if (run === undefined) letGo();
      }
    },
    async alarm() {
      try {
        await look();
        await deadlines.rearm(next());
      } catch (error) {
        failed(error);
        if (run === undefined) letGo();
        await deadlines.rearm(now() + SALVAGE_MS).catch(failed);
      }
    },
    isIdle: () => run === undefined,
    shutdown: stopRun,
  };
}
