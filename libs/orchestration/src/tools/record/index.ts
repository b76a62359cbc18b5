export { RECORDING_FORMAT, recordingFromJson, recordingToJson, recordRun } from './recording.ts';
export type { RecordedCall, WorkflowRecording } from './recording.ts';
export { recordedResultJson } from './recorded-result.ts';
export type { RecordedResult } from './recorded-result.ts';
export * from './replay.ts';
