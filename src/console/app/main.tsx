/** Starts the console in its page. @module */
import { render } from "preact";
import { disconnect } from "./store.ts";
import { App } from "./ui/app.tsx";

const root = document.getElementById("app");
if (root !== null) render(<App />, root);
// Not awaited: `keepalive` lets the request outlive the page.
addEventListener("pagehide", () => void disconnect());
