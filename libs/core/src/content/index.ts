export {
  contentChange,
  ContentSource,
  ContentType,
  contentVersion,
  type ContentChange,
  type ContentVersion,
  type NewContentVersion,
} from './content-version.ts';
export { VersionedContent, type AppendOutcome } from './versioned-content.ts';
