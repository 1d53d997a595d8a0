/**
 * Numbers from events. What a client can choose is no dimension of them before a server has known it: each value
 * would be a series of its own, for ever.
 * @module
 */
import { type Attributes, type Meter, ValueType } from "@opentelemetry/api";
import type { EndedCall, HoldfastEvent } from "../events.ts";
import { errorType } from "./conventions.ts";

/** Of the conventions' histograms, in seconds. */
const SECONDS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300];
const SESSION_SECONDS = [1, 10, 60, 300, 900, 3600, 14_400, 86_400, 604_800];

/** Most different names, of methods and of tools together. */
const MOST_NAMES = 1000;

const OTHER = "_OTHER";

/** The protocol's own. */
const METHODS = [
  "initialize",
  "ping",
  "tools/list",
  "tools/call",
  "prompts/list",
  "prompts/get",
  "resources/list",
  "resources/templates/list",
  "resources/read",
  "resources/subscribe",
  "resources/unsubscribe",
  "completion/complete",
  "logging/setLevel",
];

/** Returns what hears the events. */
export function createInstruments(meter: Meter, residents?: () => number): (event: HoldfastEvent) => void {
  const duration = meter.createHistogram("mcp.server.operation.duration", {
    unit: "s",
    description: "How long calls take in their server",
    advice: { explicitBucketBoundaries: SECONDS },
  });
  const sessionDuration = meter.createHistogram("mcp.server.session.duration", {
    unit: "s",
    description: "How long sessions last",
    advice: { explicitBucketBoundaries: SESSION_SECONDS },
  });
  const count = (name: string, description: string): ((value: number, attributes?: Attributes) => void) => {
    const counter = meter.createCounter(name, { description, valueType: ValueType.INT });
    return (value, attributes) => counter.add(value, attributes);
  };
  const level = (name: string, description: string): ((by: 1 | -1) => void) => {
    const counter = meter.createUpDownCounter(name, { description, valueType: ValueType.INT });
    return (by) => counter.add(by);
  };
  const drops = count("holdfast.stream.drops", "Connections of streams that are over, by reason");
  const resumes = count("holdfast.stream.resumes", "Streams that a client took up again");
  const redials = count("holdfast.stream.redials", "Links to a session that broke and were dialled again");
  const replayed = count("holdfast.stream.replayed", "Events that were sent again as a client came back");
  const gaps = count("holdfast.stream.gaps", "Events that a client came back for and were no longer held");
  const refusals = count("holdfast.refusals", "Requests that were turned away, by status or limit");
  const streams = level("holdfast.streams.open", "Connections that carry a stream now");
  const calls = level("holdfast.calls.active", "Calls with a server now");
  if (residents !== undefined) {
    meter
      .createObservableGauge("holdfast.sessions.resident", { description: "Sessions in memory" })
      .addCallback((result) => result.observe(residents()));
  }

  const names = new Set(METHODS);
  /** @param isKnown a server has answered under this name: what it has not, anybody may have made up */
  const bounded = (name: string | undefined, isKnown: boolean): string => {
    if (name === undefined) return OTHER;
    if (!names.has(name) && (!isKnown || names.size >= MOST_NAMES)) return OTHER;
    names.add(name);
    return name;
  };
  /** Those that began here: one that died with another isolate never counted in this one. */
  const active = new Set<string>();

  const ended = (call: EndedCall): void => {
    if (active.delete(call.call)) calls(-1);
    const isKnown = call.outcome === "ok";
    const attributes: Attributes = {
      "mcp.method.name": bounded(call.method, isKnown),
      "network.transport": "tcp",
    };
    if (call.method === "tools/call") attributes["gen_ai.tool.name"] = bounded(call.name, isKnown);
    if (call.version !== undefined) attributes["mcp.protocol.version"] = bounded(call.version, isKnown);
    const type = errorType(call.outcome);
    if (type !== undefined) attributes["error.type"] = type;
    duration.record(call.ms / 1000, attributes);
  };

  return (event) => {
    switch (event.type) {
      case "call.started":
        active.add(event.call);
        return calls(1);
      case "call.ended":
        return ended(event);
      case "keepalive.start":
        return streams(1);
      case "connection.closed":
        streams(-1);
        return drops(1, { reason: event.reason });
      case "connection.setup":
        return event.resumed ? resumes(1) : undefined;
      case "connection.redialled":
        return redials(1);
      case "stream.resumed":
        return replayed(event.replayed);
      case "replay.gap":
        return gaps(event.missed);
      case "session.expired":
      case "session.terminated":
        return sessionDuration.record(event.durationMs / 1000);
      case "limit.reached":
        return refusals(event.refused, { limit: event.limit });
      case "request": {
        const status = event.refused ?? event.status;
        return status >= 400 ? refusals(1, { "http.response.status_code": status }) : undefined;
      }
      default:
        return undefined;
    }
  };
}
