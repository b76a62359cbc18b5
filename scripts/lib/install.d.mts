export declare function adviceFor(log: string): string;
export declare function ensureInstalled(): Promise<void>;
