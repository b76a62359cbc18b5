/** Members that may be undefined become optional ones that never are; of each type of a union by itself. */
export type Present<T> = T extends unknown
  ? { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
      [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
    }
  : never;

/**
 * The object without its undefined members: one that is absent and one that is undefined say the same. Null stays. The
 * names of the members are the code's, never a caller's.
 */
export function present<T extends object>(object: T): Present<T> {
  const kept: Record<string, unknown> = {};
  // Every submission over HTTP comes by: Object.entries would make an array of each member.
  for (const name of Object.keys(object)) {
    const value: unknown = Reflect.get(object, name);
    if (value !== undefined) kept[name] = value;
  }
  return kept as Present<T>;
}
