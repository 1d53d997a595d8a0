/** The behaviour suite: one set of tests for every host. @module */
import { describe } from "vitest";
import type { Subject } from "../support/subject.ts";
import { testOperations } from "./operations.ts";
import { testOrigin } from "./origin.ts";
import { testPosts } from "./posts.ts";
import { testSessions } from "./sessions.ts";
import { testSessionless } from "./sessionless.ts";
import { testCalls } from "./calls.ts";
import { testKeepalive } from "./keepalive.ts";
import { testBodies } from "./bodies.ts";
import { testBounds } from "./bounds.ts";
import { testQuirks } from "./quirks.ts";
import { testResume } from "./resume.ts";
import { testRoom } from "./room.ts";
import { testDisconnects } from "./disconnects.ts";
import { testEvents } from "./events.ts";
import { testHeartbeats } from "./heartbeats.ts";
import { testHttpSse } from "./http-sse.ts";
import { testOptions } from "./options.ts";
import { testSdkClients } from "./sdk-clients.ts";
import { testStandalone } from "./standalone.ts";
import { testStatus } from "./status.ts";

export function testBehaviour(subject: Subject): void {
  describe(subject.name, () => {
    testStatus(subject);
    testOrigin(subject);
    testOperations(subject);
    testSessions(subject);
    testSessionless(subject);
    testPosts(subject);
    testStandalone(subject);
    testResume(subject);
    testBounds(subject);
    testBodies(subject);
    testRoom(subject);
    testCalls(subject);
    testKeepalive(subject);
    testHeartbeats(subject);
    testDisconnects(subject);
    testEvents(subject);
    testHttpSse(subject);
    testOptions(subject);
    testQuirks(subject);
    testSdkClients(subject);
  });
}
