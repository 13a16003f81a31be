import { expect, it } from 'vitest';
import { parseClusterSettings } from '../../../schemas/settings.ts';

const read = (text: string, insecure = false) =>
  parseClusterSettings(`cluster: a\nnotifications:\n${text}`, 'cluster.yaml', { insecure });

it('takes receivers, with times that hold where nothing is said', () => {
  const text = `  - {name: ops, ntfy: "https://ntfy.sh/topic", token_file: /run/token, after: 2m, remind: 0}
  - {name: chat, webhook: "http://10.0.0.1/hook"}`;
  const { settings, problems } = read(text);
  expect(problems).toEqual([]);
  expect(settings?.notifications).toEqual([
    { name: 'ops', kind: 'ntfy', url: 'https://ntfy.sh/topic', tokenFile: '/run/token', after: 120_000, remind: 0 },
    { name: 'chat', kind: 'webhook', url: 'http://10.0.0.1/hook', after: 30_000, remind: 3_600_000 },
  ]);
});

it.each([
  ['- {name: a, ntfy: "https://h/t"}\n- {name: a, ntfy: "https://h/t"}', 'NAME_TAKEN', 4],
  ['- {name: a}', 'SETTINGS_INVALID', 3],
  ['- {name: a, ntfy: "https://h/t", webhook: "https://h/t"}', 'SETTINGS_INVALID', 3],
  ['- {name: a, ntfy: "ftp://h/t"}', 'SETTINGS_INVALID', 3],
  ['- {name: a, webhook: "https://user:word@h/t"}', 'SETTINGS_INVALID', 3],
  ['- {name: a, webhook: "http://10.0.0.1/t", token_file: /t}', 'TLS_REQUIRED', 3],
])('refuses %s', (text, code, line) => {
  const { settings, problems } = read(text);
  expect(settings).toBeUndefined();
  expect(problems[0]).toMatchObject({ code, line, file: 'cluster.yaml' });
});

it('lets a token travel in the open on this machine, and where the owner wants it so', () => {
  const text = (host: string) => `- {name: a, webhook: "http://${host}/t", token_file: /t}`;
  expect(read(text('127.0.0.1')).problems).toEqual([]);
  expect(read(text('[::1]:80')).problems).toEqual([]);
  expect(read(text('10.0.0.1'), true).problems).toEqual([]);
});
