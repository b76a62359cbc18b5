/** Bytes of one message that the server takes; the largest is a workflow's file or the params of a run. */
export const MAX_MESSAGE_BYTES = 1024 * 1024;

/** Messages in one request. */
export const MAX_BATCH = 8;
