export declare function sameInstall(wanted: unknown, present: unknown): boolean;
export declare function installState(root: string): 'fresh' | 'missing' | 'stale';
export declare function writeStamp(root: string): void;
