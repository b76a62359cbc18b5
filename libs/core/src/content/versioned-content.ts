import { NotFoundError, ValidationError } from '../errors/permanent.ts';
import {
  contentChange,
  contentVersion,
  type ContentChange,
  type ContentType,
  type ContentVersion,
  type NewContentVersion,
} from './content-version.ts';

/** What became of a new version. */
export type AppendOutcome =
  | { readonly type: 'appended'; readonly content: VersionedContent; readonly version: ContentVersion }
  /** The current version has the same content: it stays the current one. */
  | { readonly type: 'unchanged'; readonly content: VersionedContent; readonly version: ContentVersion }
  /** Somebody else appended since the base was read: merge with `current` and append on that. Nothing was written. */
  | { readonly type: 'conflict'; readonly base: ContentVersion; readonly current: ContentVersion };

/**
 * A text with all its versions, never fewer than one. Immutable: `append` gives a new history, and no version is ever
 * changed or left out. What is current follows from the versions alone.
 */
export class VersionedContent {
  readonly id: string;
  readonly contentType: ContentType;
  /** Version 1 first. */
  readonly history: readonly ContentVersion[];
  readonly current: ContentVersion;

  private constructor(
    id: string,
    contentType: ContentType,
    versions: readonly ContentVersion[],
    current: ContentVersion,
  ) {
    this.id = id;
    this.contentType = contentType;
    this.history = Object.freeze([...versions]);
    this.current = current;
    Object.freeze(this);
  }

  /** Version 1. Throws ValidationError as `contentVersion` does. */
  static create(
    given: NewContentVersion & { readonly id: string; readonly contentType: ContentType },
  ): VersionedContent {
    const first = contentVersion(1, given);
    return new VersionedContent(given.id, given.contentType, [first], first);
  }

  /**
   * The history that was read back from where it was stored. Throws ValidationError when the versions are not numbered 1,
   * 2, 3, … or a content does not have its hash: something changed what is never changed.
   */
  static restore(stored: {
    readonly id: string;
    readonly contentType: ContentType;
    readonly history: readonly ContentVersion[];
  }): VersionedContent {
    const versions = stored.history.map((given, index) => {
      const version = contentVersion(index + 1, { ...given, createdAt: new Date(given.createdAt) });
      if (given.version === version.version && given.contentHash === version.contentHash) return version;
      throw new ValidationError(
        `history[${index}]: version ${given.version} is not version ${version.version} with the hash of its content; ` +
          'allowed is a history as it was appended',
      );
    });
    const current = versions.at(-1);
    if (current === undefined) {
      throw new ValidationError('history: it is empty; allowed are one or more versions');
    }
    return new VersionedContent(stored.id, stored.contentType, versions, current);
  }

  /**
   * Appends a version that was made from version `base`. The same content as the current one appends nothing, whatever
   * the base; going back to an older content is a version of its own. Throws NotFoundError for a base that never was,
   * ValidationError as `contentVersion` does.
   */
  append(given: NewContentVersion, base: number): AppendOutcome {
    const madeFrom = this.get(base);
    const version = contentVersion(this.current.version + 1, given);
    if (version.contentHash === this.current.contentHash) {
      return { type: 'unchanged', content: this, version: this.current };
    }
    if (madeFrom !== this.current) return { type: 'conflict', base: madeFrom, current: this.current };
    const content = new VersionedContent(this.id, this.contentType, [...this.history, version], version);
    return { type: 'appended', content, version };
  }

  /** Throws NotFoundError for a version that never was. */
  get(version: number): ContentVersion {
    const found = this.history[version - 1];
    if (found !== undefined) return found;
    throw new NotFoundError(
      `version: ${this.id} has no version ${version}; allowed are 1 to ${this.history.length}`,
    );
  }

  /** The newest version made at or before `instant`; null when there was none yet. */
  asOf(instant: Date): ContentVersion | null {
    return this.history.findLast(({ createdAt }) => Date.parse(createdAt) <= instant.getTime()) ?? null;
  }

  /** What changed from one version to another. Throws NotFoundError for a version that never was. */
  change(from: number, to: number): ContentChange {
    return contentChange(this.get(from), this.get(to));
  }
}
