import { describe, expect, it } from 'vitest';
import { allowedRuntimes, createRuntime, createRuntimes, probeAll } from '../../../../agent/runtimes/registry.ts';

const place = { cluster: 'c'.repeat(64), node: 'n', ip: '127.0.0.1', folder: '/nonexistent' };

describe('runtimes by name', () => {
  it('are those that the settings allow', async () => {
    expect(allowedRuntimes({})).toEqual([]);
    expect(allowedRuntimes({ process: { allow: false } })).toEqual([]);
    const all = { docker: {}, process: { allow: true } };
    expect(allowedRuntimes(all)).toEqual(['docker', 'process']);
    expect((await createRuntimes(all, place)).map(({ name }) => name)).toEqual(['docker', 'process']);
  });

  it.each([{}, { process: { allow: false } }])('hold processes back with settings %j', async (settings) => {
    await expect(createRuntime('process', settings, place)).rejects.toMatchObject({
      problem: { code: 'PROCESS_NOT_ALLOWED' },
    });
  });

  it('are probed together: one that does not answer is no failure of the others', async () => {
    const runtimes = await createRuntimes(
      { docker: { socket: '/nonexistent.sock' }, process: { allow: true } },
      {
        ...place,
        folder: '/etc/passwd/no-folder',
      },
    );
    const probes = await probeAll(runtimes, new AbortController().signal);
    expect(probes).toMatchObject([
      { ok: false, name: 'docker', problem: { code: 'RUNTIME_UNAVAILABLE' } },
      { ok: false, name: 'process', problem: { code: 'RUNTIME_UNAVAILABLE' } },
    ]);
  });
});
