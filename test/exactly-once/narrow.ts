/**
 * Settings under which the server itself ends connections all the time, each in order and for its client to come back. What
 * takes a client for dead is not among them: on a busy machine it would be wrong, and cut those that are alive.
 * @module
 */
export const NARROW = {
  HOLDFAST_MAX_STREAM_MS: "1000",
  HOLDFAST_SUPERVISE_INTERVAL_MS: "1000",
  HOLDFAST_KEEPALIVE_INTERVAL_MS: "50",
  HOLDFAST_KEEPALIVE_MAX_FAILURES: "1000",
  HOLDFAST_QUICK_ANSWER_MS: "0",
};
