/** How Node runs the services. */

/**
 * Room for new objects, three times this at the most. In the 16 MB that Node takes by default the runs in flight outlive
 * several collections, each of which copies them: a fifth of a busy worker's throughput.
 */
export const SEMI_SPACE_MB = 64;

/** @param nodeOptions the NODE_OPTIONS of the service; what they say of the same wins. */
export function nodeFlags(nodeOptions: string | undefined): readonly string[] {
  return [
    '--enable-source-maps',
    ...(/--max[-_]semi[-_]space[-_]size/.test(nodeOptions ?? '')
      ? []
      : [`--max-semi-space-size=${SEMI_SPACE_MB}`]),
  ];
}
