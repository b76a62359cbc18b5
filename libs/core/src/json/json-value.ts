export type JsonPrimitive = string | number | boolean | null;
export type JsonArray = readonly JsonValue[];
export interface JsonObject {
  readonly [key: string]: JsonValue;
}
/** Any value JSON can carry. Read-only, so that a mutable value is accepted wherever one is asked for. */
export type JsonValue = JsonPrimitive | JsonArray | JsonObject;

/** Narrows to the object case; `Array.isArray` alone does not exclude read-only arrays for the compiler. */
export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
