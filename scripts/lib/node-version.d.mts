export interface NodeCandidate {
  readonly path: string;
  readonly version: string | undefined;
}
export declare function isAtLeast(have: string, need: string): boolean;
export declare function chooseNode(installed: NodeCandidate | undefined, current: NodeCandidate): string;
