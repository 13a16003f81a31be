import { describe, expect, it } from 'vitest';
import { settleAddresses } from '../../../agent/address.ts';
import { createMemoryFiles } from '../../support/memory-files.ts';

const api = 'http://127.0.0.1:10100';
/** No name server knows it. */
const nowhere = 'http://nowhere.invalid:10100';

describe('the addresses of a node', () => {
  it('are what its owner says', async () => {
    const files = createMemoryFiles();
    expect(await settleAddresses({ ip: '10.0.0.7' }, nowhere, files)).toEqual({
      ip: '10.0.0.7',
      advertise: { ip: '10.0.0.7' },
    });
    const advertise = { ip: '203.0.113.7', port: 8080 };
    expect(await settleAddresses({ ip: '0.0.0.0', advertise }, nowhere, files)).toEqual({ ip: '0.0.0.0', advertise });
    expect(await files.list()).toEqual([]);
  });

  it('are else those by which it goes to the broker', async () => {
    const own = { ip: '127.0.0.1' };
    expect(await settleAddresses({}, api, createMemoryFiles())).toEqual({ ...own, advertise: own });
    const all = await settleAddresses({ ip: '0.0.0.0' }, 'mqtts://127.0.0.1:10003', createMemoryFiles());
    expect(all).toEqual({ ip: '0.0.0.0', advertise: own });
    const six = await settleAddresses({}, 'http://[::1]:10100', createMemoryFiles()).catch(() => undefined);
    if (six) expect(six.ip).toBe('::1');
  });

  it('are the last ones while there is no way to it, and a clear error if there never was', async () => {
    const files = createMemoryFiles();
    await expect(settleAddresses({}, nowhere, files)).rejects.toThrow(/no way to nowhere.invalid/);
    await settleAddresses({}, api, files);
    expect((await settleAddresses({}, nowhere, files)).ip).toBe('127.0.0.1');
  });
});
