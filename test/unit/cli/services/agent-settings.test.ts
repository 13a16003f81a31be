import { describe, expect, it } from 'vitest';
import { parseAgentConfig } from '../../../../agent/config.ts';
import { labelsOf, withAgentSettings } from '../../../../cli/services/agent-settings.ts';

const api = 'https://10.0.0.1:10100';
const file = '/f/agent.yaml';
const first = withAgentSettings(
  undefined,
  {
    api,
    token: 'oak1.x',
    name: 'edge-7',
    ip: '10.0.0.7',
    location: 'hall 2: "left"',
    labels: labelsOf(['zone=a=b', 'on=yes']),
    runtimes: ['process'],
  },
  file,
);

describe('agent.yaml of an installation', () => {
  it('is read by the agent as it was asked for', () => {
    const { config, problems } = parseAgentConfig(first, file, 'host');
    expect(problems).toEqual([]);
    expect(config).toMatchObject({
      api,
      token: 'oak1.x',
      name: 'edge-7',
      ip: '10.0.0.7',
      location: 'hall 2: "left"',
      labels: { zone: 'a=b', on: 'yes' },
      runtimes: { process: { allow: true } },
    });
  });

  it('keeps what its owner wrote, and forgets the token', () => {
    const old = `# mine\n${first}beat: 2s # slow link\n`;
    const text = withAgentSettings(old, { api: 'https://10.0.0.2:10100', token: null, labels: {}, runtimes: [] }, file);
    expect(text).toContain('# mine');
    expect(text).toContain('# slow link');
    const { config } = parseAgentConfig(text, file, 'host');
    expect(config).toMatchObject({ api: 'https://10.0.0.2:10100', labels: { zone: 'a=b', on: 'yes' }, beat: 2_000 });
    expect(config).not.toHaveProperty('token');
  });

  it('is the same after the same installation', () => {
    const again = { api, token: 'oak1.x', labels: { zone: 'a=b' }, runtimes: ['process'] };
    expect(withAgentSettings(first, again, file)).toBe(first);
  });

  it('is not overwritten when it cannot be read', () => {
    expect(() => withAgentSettings('a: [', { api, labels: {}, runtimes: [] }, file)).toThrow(
      /agent.yaml: SETTINGS_INVALID/,
    );
  });
});
