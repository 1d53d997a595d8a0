/**
 * A load balancer that keeps no client to one server: each request goes to the next, and to another where nobody listens.
 * For tests and `npm run start:cluster`; a deployment has its own.
 * @module
 */
import { Agent, createServer, request as send, type IncomingMessage, type ServerResponse } from "node:http";

export interface Proxy {
  readonly port: number;
  readonly url: string;
  close(): Promise<void>;
}

/** @param targets the ports of the servers on this machine, asked for with each request */
export async function startProxy(targets: () => readonly number[], port = 0): Promise<Proxy> {
  // A connection for each request: on one that is kept, a request can meet its server closing it, and what of it was
  // taken is not known.
  const agent = new Agent({ keepAlive: false, maxSockets: Infinity, timeout: 0 });
  let turn = 0;

  const pass = (request: IncomingMessage, response: ServerResponse, tries: number): void => {
    const ports = targets();
    const to = ports[turn++ % ports.length];
    const { method, url, rawHeaders, headers } = request;
    // What the server says of its connection is passed on: it is asked to keep it, so that it closes only what must be.
    const kept = headers.connection === undefined ? [...rawHeaders, "Connection", "keep-alive"] : rawHeaders;
    const upstream = send({
      host: "127.0.0.1",
      port: to,
      method,
      path: url,
      headers: kept,
      agent,
      setHost: false,
    });
    // A body may take its time to begin, and be refused before it has.
    upstream.flushHeaders();
    let isAnswered = false;
    upstream.on("response", (answer) => {
      isAnswered = true;
      response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      response.flushHeaders();
      answer.pipe(response);
      // A break is passed on as one.
      answer.on("error", () => response.destroy());
      answer.on("aborted", () => response.destroy());
    });
    upstream.on("error", (error: Error & { code?: string }) => {
      if (isAnswered || response.destroyed) return void response.destroy();
      // Nothing of it was taken: another server may.
      const isUntaken = error.code === "ECONNREFUSED" && request.readableFlowing !== true;
      if (isUntaken && tries > 1) return pass(request, response, tries - 1);
      response.writeHead(502).end();
    });
    response.on("close", () => upstream.destroy());
    upstream.on("socket", (socket) => {
      const begin = (): void => void request.pipe(upstream);
      if (socket.connecting) socket.once("connect", begin);
      else begin();
    });
  };

  const server = createServer((request, response) => pass(request, response, targets().length));
  server.requestTimeout = 0;
  server.headersTimeout = 0;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  const address = server.address();
  const bound = typeof address === "object" && address !== null ? address.port : port;
  return {
    port: bound,
    url: `http://127.0.0.1:${bound}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
        agent.destroy();
      }),
  };
}
