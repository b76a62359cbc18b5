import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApi } from './api-support.ts';
import type { Api } from './api-support.ts';

let api: Api;
beforeAll(async () => { api = await startApi(); });
afterAll(() => api.close());
describe('x', () => {
  it('y', async () => {
    for (const [m, p, i] of [['POST','/api/v1/runs',{json:{kind:'task',name:'echo',params:{a:1}}}],['GET','/api/v1/runs'],['GET','/health'],['GET','/api/v1/capabilities'],['GET','/metrics'],['GET','/docs'],['GET','/docs/swagger-ui-bundle.js'],['GET','/docs/openapi.json'],['GET','/admin/queues'],['GET','/admin/queues/api/queues'],['GET','/nope'],['POST','/api/v1/runs',{body:'{'}],['POST','/api/v1/runs',{json:{kind:'x',zz:1}}], ['GET','/api/v1/functions'], ['GET','/api/v1/%zz']] as const) {
      const a = await api.call(m, p, i as never);
      console.log(m, p, a.status, a.headers.get('content-type'), a.text.slice(0, 600));
      console.log(Object.fromEntries(a.headers));
    }
  });
});
