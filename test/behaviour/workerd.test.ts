import { startWorkerd } from "../support/workerd.ts";
import { testBehaviour } from "./index.ts";

testBehaviour({ name: "workerd", start: (vars = {}) => startWorkerd({ vars }) });
