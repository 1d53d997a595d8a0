/** What `/__bench/counters` tells. @module */

export interface Counters {
  constructed: number;
  fetches: number;
  /** Calls of methods from outside, where the namespace is counted: billed like requests. */
  methodCalls: number;
  alarms: number;
  socketMessages: number;
  /** By SQL; what else is stored (an alarm, key-value) counts below. */
  rowsWritten: number;
  alarmsSet: number;
  /** Keys put or deleted: each is a row written. */
  keyValueWrites: number;
}
