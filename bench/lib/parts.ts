/** The parts, in the order in which they run. @module */
export const PARTS = ["calls", "streaming", "idle", "back", "listen", "cluster", "size"] as const;
