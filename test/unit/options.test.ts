import { describe, expect, it, vi } from "vitest";
import type { HoldfastEvent } from "../../src/events.ts";
import { resolveOptions } from "../../src/options.ts";
import { environmentName, optionsFromEnv } from "../../src/variables.ts";

describe("options", () => {
  it("have defaults that are valid together", () => {
    expect(resolveOptions()).toMatchObject({
      keepaliveIntervalMs: 15_000,
      keepaliveMode: "comment",
      retryMs: 3000,
      recovery: "revive",
      basePath: "",
    });
  });

  it.each([
    ["retryMs", -1],
    ["retryMs", Number.NaN],
    ["retryMs", 1.5],
    ["maxEvents", 0],
    ["maxBodyBytes", Infinity],
    ["keepaliveMode", "loud"],
    ["recovery", ""],
    ["onGap", "500"],
    ["allowedOrigins", ["app.example"]],
    ["allowedOrigins", ["https://app.example/path"]],
    ["allowedHosts", ["https://mcp.example"]],
    ["allowedHosts", ["mcp.example:8787"]],
    ["allowedHosts", ["a b"]],
    ["basePath", "api"],
    ["basePath", "/a b"],
    ["publicUrl", "/relative"],
    ["onEvent", "log"],
    ["onDisconnect", 1],
    ["rerun", true],
    ["console", true],
  ])("refuse %s = %j by name", (name, value) => {
    expect(() => resolveOptions({ [name]: value })).toThrow(name);
  });

  it("refuse a keepalive slower than the session lives", () => {
    expect(() => resolveOptions({ keepaliveIntervalMs: 1000, sessionTtlMs: 1000 })).toThrow(
      "keepaliveIntervalMs",
    );
  });

  it("come from variables under their names", () => {
    expect(environmentName("sessionTtlMs")).toBe("HOLDFAST_SESSION_TTL_MS");
    const env = {
      HOLDFAST_RETRY_MS: "500",
      HOLDFAST_KEEPALIVE_MODE: "ping",
      HOLDFAST_ALLOWED_ORIGINS: "https://a.example, https://b.example",
      HOLDFAST_ALLOWED_HOSTS: "MCP.example, *.mesh.example, [::1]",
      HOLDFAST_BASE_PATH: "/api/",
      HOLDFAST_MAX_EVENTS: "",
      HOLDFAST_KEEPALIVE_INTERVAL_MS: " ",
      OTHER: "1",
    };
    expect(optionsFromEnv(env)).toEqual({
      retryMs: 500,
      keepaliveMode: "ping",
      allowedOrigins: ["https://a.example", "https://b.example"],
      allowedHosts: ["mcp.example", "*.mesh.example", "[::1]"],
      basePath: "/api",
    });
  });

  it.each([
    ["HOLDFAST_RETRY_MS", "soon"],
    ["HOLDFAST_RECOVERY", "always"],
    ["HOLDFAST_ALLOWED_ORIGINS", "not an origin"],
    ["HOLDFAST_BASE_PATH", "api"],
  ])("refuse the variable %s = %j by its own name and with what was given", (name, value) => {
    expect(() => optionsFromEnv({ [name]: value })).toThrow(name);
    expect(() => optionsFromEnv({ [name]: value })).toThrow(value);
  });

  it("name all variables that are wrong at once, in one line", () => {
    const env = { HOLDFAST_RETRY_MS: "soon", HOLDFAST_MAX_EVENTS: "7", HOLDFAST_RECOVERY: "always" };
    expect(() => optionsFromEnv(env)).toThrow(
      /^HOLDFAST_RETRY_MS must be .*, not soon; HOLDFAST_RECOVERY must be .*, not always$/,
    );
  });
});

describe("events", () => {
  it("reach the hook with their level, and a hook that throws harms nothing", () => {
    const seen: HoldfastEvent[] = [];
    resolveOptions({ onEvent: (event) => seen.push(event) }).emit("replay.gap", {
      session: "12345678",
      missed: 3,
    });
    expect(seen).toEqual([
      { type: "replay.gap", level: "warn", time: expect.any(Number), session: "12345678", missed: 3 },
    ]);

    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const { emit } = resolveOptions({
      onEvent: () => {
        throw new Error("broken hook");
      },
    });
    expect(() => emit("session.terminated", { session: "12345678", durationMs: 1 })).not.toThrow();
    expect(warn.mock.calls[0]?.[0]).toContain("broken hook");
    warn.mockRestore();
  });

  it("are logged as one JSON line each, from the chosen level up", () => {
    const info = vi.spyOn(console, "info").mockImplementation(() => {});
    const debug = vi.spyOn(console, "debug").mockImplementation(() => {});
    const { emit } = resolveOptions({ logLevel: "info" });
    emit("session.terminated", { session: "12345678", durationMs: 1 });
    emit("ping.sent", { connectionId: "c", pingCount: 1 });
    const lines = info.mock.calls.map(([line]) => JSON.parse(String(line)) as unknown);
    const time = expect.any(Number);
    expect(lines).toEqual([
      { type: "session.terminated", level: "info", time, session: "12345678", durationMs: 1 },
    ]);
    expect(debug).not.toHaveBeenCalled();
    info.mockRestore();
    debug.mockRestore();
  });
});
