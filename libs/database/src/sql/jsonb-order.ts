/** JSON as it comes back from a jsonb column, without the way there. Pure. */

/**
 * Parses JSON text into what a jsonb column would answer for it: the members of each object in Postgres' order, by the length of
 * their names in UTF-8 and then by bytes. Of members with one name the last stays, as there.
 * @throws SyntaxError for what is no JSON
 */
export function parseAsJsonb(text: string): unknown {
  return ordered(JSON.parse(text));
}

function ordered(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(ordered);
  const members = Object.entries(value).map(([name, member]: [string, unknown]) => ({
    name,
    bytes: Buffer.from(name),
    member: ordered(member),
  }));
  members.sort((a, b) => a.bytes.length - b.bytes.length || Buffer.compare(a.bytes, b.bytes));
  return Object.fromEntries(members.map(({ name, member }) => [name, member]));
}
