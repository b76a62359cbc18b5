/** How many calls are under way at once, in this process. */
export class CallSlots {
  readonly #max: number;
  #taken = 0;

  /** @param max at least 1 */
  constructor(max: number) {
    this.#max = max;
  }

  get taken(): number {
    return this.#taken;
  }

  /** @returns what gives the slot back, once however often it is called; null where none is free */
  take(): (() => void) | null {
    if (this.#taken >= this.#max) return null;
    this.#taken += 1;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#taken -= 1;
    };
  }
}
