/** vitest's `setupFiles`: runs before every test file, also where one process runs many. */
import { beginTestFile } from './test-servers.ts';

beginTestFile();
