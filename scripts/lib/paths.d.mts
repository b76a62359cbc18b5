export declare const ROOT: string;
export declare function inRoot(...parts: string[]): string;
