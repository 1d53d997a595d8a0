/** HTTP without a network: requests go to a function, and all of them break where the process would die. @module */

/** A `fetch` over whatever process is up. */
export type WireFetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

/** What answers, until it is gone. */
export interface Wire {
  readonly fetch: WireFetch;
  /** Breaks every request and every answer that is under way, as a connection breaks; further requests fail. */
  cut(): void;
}

/** As `fetch` fails where nobody listens, or a connection breaks. */
const broken = (): TypeError => new TypeError("fetch failed: the server of this test is gone");

/** Connects to what answers requests. */
export function createWire(answer: (request: Request) => Response | Promise<Response>): Wire {
  const breaks = new Set<(reason: unknown) => void>();
  let isCut = false;

  /** Calls `end` once, where the wire is cut or the client gives up; returns what calls that off. */
  const onBreak = (signal: AbortSignal, end: (reason: unknown) => void): (() => void) => {
    const abort = (): void => end(signal.reason);
    if (isCut) end(broken());
    else if (signal.aborted) abort();
    breaks.add(end);
    signal.addEventListener("abort", abort, { once: true });
    return () => {
      breaks.delete(end);
      signal.removeEventListener("abort", abort);
    };
  };

  const breakable = (source: ReadableStream<Uint8Array>, signal: AbortSignal): ReadableStream<Uint8Array> => {
    const reader = source.getReader();
    let isBroken = false;
    let done = (): void => {};
    return new ReadableStream<Uint8Array>({
      start(controller) {
        done = onBreak(signal, (reason) => {
          isBroken = true;
          controller.error(reason);
          // The other side learns that its client is gone.
          void reader.cancel(reason).catch(() => {});
        });
      },
      async pull(controller) {
        try {
          const part = await reader.read();
          if (isBroken) return;
          if (!part.done) return controller.enqueue(part.value);
          done();
          controller.close();
        } catch (error) {
          done();
          if (!isBroken) controller.error(error);
        }
      },
      async cancel(reason) {
        done();
        await reader.cancel(reason);
      },
    });
  };

  return {
    async fetch(input, init) {
      if (isCut) throw broken();
      const request = new Request(input, init);
      const { signal } = request;
      let done = (): void => {};
      const breaking = new Promise<never>((_resolve, reject) => (done = onBreak(signal, reject)));
      try {
        const response = await Promise.race([answer(request), breaking]);
        if (response.body === null) return response;
        return new Response(breakable(response.body, signal), response);
      } finally {
        done();
      }
    },
    cut() {
      isCut = true;
      for (const end of breaks) end(broken());
      breaks.clear();
    },
  };
}
