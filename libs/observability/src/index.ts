export * from './capture-logger.ts';
export * from './health-server.ts';
export * from './logger.ts';
export * from './metrics.ts';
export * from './metrics-lanes.ts';
export * from './service-process.ts';
