export { RECORDING_FORMAT, recordingFromJson, recordingToJson, recordRun } from './recording.ts';
export type { RecordedCall, WorkflowRecording } from './recording.ts';
export * from './replay.ts';
