/** Starts the console in its page. @module */
import { options, render } from "preact";
import { disconnect } from "./store.ts";
import { App } from "./ui/app.tsx";

// Once a frame, however many events came within it: after each, as Preact would by itself, a burst of thousands takes a
// minute. A page that is not seen has no frames, and is kept up to date all the same.
options.debounceRendering = (draw) => {
  if (document.visibilityState === "visible") requestAnimationFrame(draw);
  else setTimeout(draw, 250);
};

const root = document.getElementById("app");
if (root !== null) render(<App />, root);
// Not awaited: `keepalive` lets the request outlive the page.
addEventListener("pagehide", () => void disconnect());
