import { workerd } from "../support/hosts.ts";
import { testFuzz } from "./index.ts";

testFuzz(workerd);
