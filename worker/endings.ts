/**
 * Who is shut out, across isolates: by way of the hub, on a topic of its own, where a principal's name stands for what
 * has been updated. An isolate that has nothing of anybody's under way, or only what is over in a moment, holds no link.
 * @module
 */
import { createEndings, ENDED_TOPIC, type EndingRegister, type Endings } from "../src/endings.ts";
import type { WorkerHub } from "./hub.ts";

/** The same in a Worker, where telling all isolates takes a moment, and may fail. */
export interface WorkerEndings extends Endings {
  /** Shuts a principal out, in this isolate at once; rejects where others may not have heard of it. */
  end(principal: string): Promise<void>;
}

/**
 * Nobody has been shut out yet, as far as this isolate has heard.
 * @param hub undefined where there is none, or nobody is shut out: then this isolate is all there is
 */
export function workerEndings(hub: WorkerHub | undefined): WorkerEndings {
  const here: EndingRegister = createEndings();
  return {
    mark: here.mark,
    hasEnded: here.hasEnded,
    watch(principal, since) {
      const watch = here.watch(principal, since);
      if (hub === undefined) return watch;
      let leave: (() => void) | undefined;
      let isOver = false;
      return {
        ended: watch.ended,
        async everywhere() {
          const bus = hub.bus(ENDED_TOPIC);
          if (isOver) return;
          leave ??= bus.subscribe((change) => {
            if (change.kind === "resource_updated") here.end(change.uri);
          });
          await bus.ready?.();
        },
        stop() {
          isOver = true;
          leave?.();
          watch.stop();
        },
      };
    },
    async end(principal) {
      here.end(principal);
      await hub?.announce(ENDED_TOPIC, { kind: "resource_updated", uri: principal });
    },
  };
}
