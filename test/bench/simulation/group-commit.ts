/** Group commit as the engine does it: what comes while statements are under way is written by the next one. */
export interface GroupCommitModel<T> {
  push(item: T): void;
}

export function groupCommitModel<T>(options: {
  readonly inFlight: number;
  readonly maxItems: number;
  /** Writes the items; `done` when they are committed. */
  readonly flush: (items: readonly T[], done: () => void) => void;
}): GroupCommitModel<T> {
  const { inFlight, maxItems, flush } = options;
  let waiting: T[] = [];
  let under = 0;
  const send = (): void => {
    if (waiting.length === 0 || under >= inFlight) return;
    const batch = waiting.slice(0, maxItems);
    waiting = waiting.slice(maxItems);
    under += 1;
    flush(batch, () => {
      under -= 1;
      send();
    });
    send();
  };
  return {
    push: (item) => {
      waiting.push(item);
      send();
    },
  };
}
