export * from './document.ts';
export * from './editor-schema.ts';
export { YAML_LIMITS } from './source.ts';
export type { YamlPlace } from './source.ts';
