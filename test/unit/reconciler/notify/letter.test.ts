import { expect, it } from 'vitest';
import type { Notice } from '../../../../reconciler/core/alerts.ts';
import { ntfyLetter, webhookLetter } from '../../../../reconciler/notify/letter.ts';

const problem: Notice = {
  kind: 'problem',
  key: 'k',
  subject: 'node/a',
  code: 'NODE_LOST',
  message: 'silent',
  since: 0,
};
const sender = { cluster: 'home', at: 61_000 };

it('webhooks get JSON', () => {
  const { headers, body } = webhookLetter([problem], sender);
  expect(headers).toEqual({ 'content-type': 'application/json' });
  expect(JSON.parse(body)).toEqual({
    cluster: 'home',
    at: '1970-01-01T00:01:01.000Z',
    notices: [
      { kind: 'problem', subject: 'node/a', code: 'NODE_LOST', message: 'silent', since: '1970-01-01T00:00:00.000Z' },
    ],
  });
});

it('ntfy gets a title that counts, and a line each', () => {
  expect(ntfyLetter([problem, { ...problem, kind: 'reminder' }, { ...problem, kind: 'recovered' }], sender)).toEqual({
    headers: { title: 'home: 2 wrong, 1 well again', priority: 'high', tags: 'warning' },
    body: 'node/a: NODE_LOST: silent\nnode/a: NODE_LOST (still): silent\nnode/a: well again (NODE_LOST)',
  });
  expect(ntfyLetter([], sender).headers['title']).toBe('home: a test');
});

it('ntfy gets no more than it takes', () => {
  const many = Array.from({ length: 500 }, () => ({ ...problem, message: 'ü'.repeat(20) }));
  const { body } = ntfyLetter(many, sender);
  expect(Buffer.byteLength(body)).toBeLessThanOrEqual(4_096);
  expect(body).toMatch(/\nand \d+ more$/);
});
