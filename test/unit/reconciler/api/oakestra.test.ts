import { expect, it } from 'vitest';
import type { OakestraDesk } from '../../../../reconciler/oakestra.ts';
import { parseClusterSettings } from '../../../../schemas/settings.ts';
import { aService } from '../../../support/builders.ts';
import { curlApplication } from '../../../support/descriptors.ts';
import { fakeControlPlane, fakeService, watchControl } from '../../../support/fake-control-plane.ts';
import { injectedApi } from '../../../support/injected-api.ts';
import { memoryApplications, owner } from '../../../support/memory-accounts.ts';
import { wholeControl } from '../../../support/whole-control-plane.ts';

const reads = ['/api/clusters/', '/api/applications/', '/api/aplications', '/api/services/', '/api/users'];

it('what is read is plain JSON, or on demand a string that holds it', async () => {
  const [plain, strings] = [false, true].map((jsonInStrings) => injectedApi(wholeControl, { jsonInStrings }));
  for (const path of reads) {
    const answer = await strings?.get(path);
    expect(answer?.headers['content-type'], path).toMatch(/^application\/json/);
    expect(answer?.json(), path).toBeTypeOf('string');
    expect(JSON.parse(answer?.json()), path).toEqual((await plain?.get(path))?.json());
  }
});

it.each([
  ...['/api/services', '/api/applications', '/api/aplications'].map((path) => [path, 1] as const),
  ['/api/service/0123456789ab', 0] as const,
])('%s looks at all services %i times, however many there are', async (path, times) => {
  const asked: string[] = [];
  const service = (n: number) => fakeService(`app${n}.default.web.default`);
  const control = fakeControlPlane({
    services: () => Array.from({ length: 20 }, (_, n) => service(n)),
    registered: () => ({ spec: aService(), counter: 0 }),
  });
  const api = injectedApi(watchControl(control, (name) => void asked.push(name)));
  const { status } = await api.get(path);
  expect(status).toBe(times === 0 ? 404 : 200);
  expect(asked.filter((name) => ['services', 'status', 'nodes', 'instances'].includes(name))).toHaveLength(times);
});

it('all applications look once at what was registered, however many there are', async () => {
  const { desk } = memoryApplications();
  for (let n = 0; n < 20; n += 1) await desk.register(owner, `app${n}.default`, `the ${n}th`);
  let looks = 0;
  const oakestra: OakestraDesk = {
    ...desk,
    applications(caller) {
      looks += 1;
      return desk.applications(caller);
    },
  };
  const items = (await injectedApi({}, { oakestra }).get('/api/applications')).json();
  expect(items).toHaveLength(20);
  expect(items[0]).toMatchObject({ application_name: 'app0', application_desc: 'the 0th' });
  expect(looks).toBe(1);
});

it('of changes only a new application is answered so, and no refusal is', async () => {
  const api = injectedApi(wholeControl, { jsonInStrings: true });
  const posted = await api.post('/api/application/', curlApplication({ curl: 'a', nginx: 'b' }));
  expect([posted.status, typeof posted.json()]).toEqual([200, 'string']);
  expect(JSON.parse(posted.json())).toMatchObject([{ application_name: 'clientsrvr' }]);
  const [{ applicationID }] = JSON.parse(posted.json());
  expect((await api.request('DELETE', `/api/application/${applicationID}`)).json()).toMatchObject({
    message: expect.any(String),
  });
  expect((await api.get('/api/service/nowhere')).json()).toMatchObject({ code: 404 });
  expect((await api.get('/api/organization')).json()).toMatchObject({ code: 501 });
  expect((await api.get('/v1/status')).json()).toMatchObject({ cluster: expect.any(String) });
});

it('is a setting of the cluster', () => {
  const of = (text: string) => parseClusterSettings(`cluster: test\n${text}`, 'cluster.yaml');
  expect(of('').settings?.json_in_strings).toBe(false);
  expect(of('compat: { oakestra: { json_in_strings: true } }').settings?.json_in_strings).toBe(true);
  const [wrong] = of('compat:\n  oakestra: { strings: true }').problems;
  expect(wrong).toMatchObject({ code: 'UNKNOWN_FIELD', line: 3 });
});
