import { startRedisServer } from '@spine/testing';
const s = await startRedisServer(); console.log(s.url, s.pid);
