import { describe, expect, it } from 'vitest';
import { instancesToRead, prefixesOf, sendLogs } from '../../../../cli/services/logs.ts';
import { ProblemError, problem } from '../../../../schemas/problem.ts';
import type { InstanceView } from '../../../../schemas/views.ts';
import { eventually } from '../../../support/eventually.ts';
import { fakeInstance } from '../../../support/fake-control-plane.ts';

const never = new AbortController().signal;
const web0 = fakeInstance('shop.d.web.d.instance.0');
const web1 = fakeInstance('shop.d.web.d.instance.1');
const lost = () => new ProblemError(problem('UNAVAILABLE', 'the stream broke off'));

/** Each call of `logs` takes the next script of its instance: texts, and how it ends. */
function fakeApi(views: () => readonly InstanceView[], scripts: Record<string, (string[] | Error)[]>) {
  const asked: unknown[] = [];
  return {
    asked,
    instances: async () => views(),
    async *logs(name: string, options: object, signal: AbortSignal) {
      asked.push(options);
      const script = scripts[name]?.shift();
      if (script instanceof Error) throw script;
      yield* script ?? [];
      if (!script) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    },
  };
}

function fakeSink() {
  const lines: string[] = [];
  const said: string[] = [];
  return {
    lines,
    said,
    line: async ({ instance, text }: { instance: string; text: string }) =>
      void lines.push(`${instance.at(-1)} ${text}`),
    say: (text: string) => void said.push(text),
  };
}

describe('logs', () => {
  it('come line by line, one instance after the other, whatever pieces they come in', async () => {
    const api = fakeApi(() => [web0, web1], { [web0.name]: [['a\nb', 'c\r\n', 'd']], [web1.name]: [['e\n']] });
    const sink = fakeSink();
    await sendLogs(api, [web0, web1], { follow: false, tail: 3 }, sink, never);
    expect(sink.lines).toEqual(['0 a', '0 bc', '0 d', '1 e']);
    expect(api.asked).toEqual([
      { follow: false, tail: 3 },
      { follow: false, tail: 3 },
    ]);
  });

  it('of several are followed at once', async () => {
    const stop = new AbortController();
    const api = fakeApi(() => [web0, web1], {});
    const sending = sendLogs(api, [web0, web1], { follow: true }, fakeSink(), stop.signal, 1);
    await eventually(() => api.asked.length === 2);
    stop.abort();
    await sending;
  });

  it('go on with the last lines when the copy was started again', async () => {
    const stop = new AbortController();
    let view = { ...web0, copy: '1.1' };
    const api = fakeApi(() => [view], { [web0.name]: [['a\n'], ['b\n']] });
    const sink = fakeSink();
    const sending = sendLogs(api, [view], { follow: true }, sink, stop.signal, 1);
    await eventually(() => sink.lines.length === 1);
    view = { ...view, restarts: 1 };
    await eventually(() => sink.lines.length === 2);
    expect(api.asked[1]).toEqual({ follow: true, tail: 20 });
    expect(sink.said.join('\n')).toContain('started again');
    stop.abort();
    await sending;
  });

  it('go on from the first line of another copy', async () => {
    const stop = new AbortController();
    let view: InstanceView = { ...web0, copy: '1.1' };
    const api = fakeApi(() => [view], { [web0.name]: [['a\n']] });
    const sink = fakeSink();
    const sending = sendLogs(api, [view], { follow: true, tail: 0 }, sink, stop.signal, 1);
    await eventually(() => sink.lines.length === 1);
    view = { ...view, copy: '1.2', node: 'pi2' };
    await eventually(() => api.asked.length === 2);
    expect(api.asked[1]).toEqual({ follow: true });
    expect(sink.said.at(-1)).toBe(`${web0.name}: copy 1.2 on pi2`);
    stop.abort();
    await sending;
  });

  it('that broke off go on with what comes, and say so', async () => {
    const stop = new AbortController();
    const api = fakeApi(() => [web0], { [web0.name]: [lost()] });
    const sink = fakeSink();
    const sending = sendLogs(api, [web0], { follow: true, tail: 5 }, sink, stop.signal, 1);
    await eventually(() => api.asked.length === 2);
    expect(api.asked[1]).toEqual({ follow: true, tail: 0 });
    expect(sink.said).toEqual([
      `${web0.name}: the stream broke off; trying again`,
      `${web0.name}: connected again; lines in between are missing`,
    ]);
    stop.abort();
    await sending;
  });

  it.each([
    ['gone', () => []],
    ['completed', () => [{ ...web0, status: 'completed' as const }]],
  ])('end when the instance is %s', async (word, views) => {
    const api = fakeApi(views, { [web0.name]: [['a\n']] });
    const sink = fakeSink();
    await sendLogs(api, [web0], { follow: true }, sink, never, 1);
    expect(sink.said.at(-1)).toBe(`${web0.name} is ${word}`);
  });

  it('that are not followed fail as the stream does', async () => {
    const api = fakeApi(() => [web0], { [web0.name]: [lost()] });
    await expect(sendLogs(api, [web0], { follow: false }, fakeSink(), never)).rejects.toThrow('UNAVAILABLE');
  });
});

it('names must tell an instance, and not too many to follow', async () => {
  await expect(
    instancesToRead(
      fakeApi(() => [], {}),
      ['shop'],
      false,
      never,
    ),
  ).rejects.toThrow('NOT_FOUND');
  const many = Array.from({ length: 51 }, (_, i) => fakeInstance(`shop.d.web.d.instance.${i}`));
  await expect(
    instancesToRead(
      fakeApi(() => many, {}),
      ['shop'],
      true,
      never,
    ),
  ).rejects.toThrow('USAGE');
  expect(
    await instancesToRead(
      fakeApi(() => many, {}),
      ['shop'],
      false,
      never,
    ),
  ).toHaveLength(51);
});

it('prefixes are short where that is enough', () => {
  expect([...prefixesOf([web0.name, 'shop.d.web.d.instance.10']).values()]).toEqual(['web.0 ', 'web.10']);
  expect(prefixesOf([web0.name, 'blog.d.web.d.instance.0']).get(web0.name)).toBe(web0.name);
});
