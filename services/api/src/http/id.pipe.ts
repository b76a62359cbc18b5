import type { PipeTransform } from '@nestjs/common';
import { isUuid } from '@spine/core';
import { notFound } from './problem.ts';

/** An id in a path. Ids are opaque: whatever is not one of ours names nothing. */
export class IdPipe implements PipeTransform<string, string> {
  readonly #what: string;

  constructor(what: string) {
    this.#what = what;
  }

  transform(id: string): string {
    if (!isUuid(id)) throw notFound(this.#what, id);
    return id;
  }
}
