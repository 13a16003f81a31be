import { describe, expect, it } from 'vitest';
import { createTagLine } from '../../../reconciler/tag-line.ts';
import { type ProblemCode, ProblemError, problem } from '../../../schemas/problem.ts';
import { createVirtualClock } from '../../support/virtual-clock.ts';

const content = `sha256:${'a'.repeat(64)}`;

/** Registries that answer when the test says so. */
function begin() {
  const clock = createVirtualClock();
  const asked: string[] = [];
  const open = new Map<string, { resolve(content: string): void; reject(error: unknown): void }>();
  const line = createTagLine({ clock }, (image) => {
    asked.push(image);
    return new Promise((resolve, reject) => open.set(image, { resolve, reject }));
  });
  const said: string[] = [];
  const ask = (...images: string[]): void => {
    for (const image of images) {
      void line.ask(image).then((answer) => {
        said.push(`${image} ${'content' in answer ? answer.content : answer.problem.code}`);
      });
    }
  };
  const answer = (image: string, code?: ProblemCode): Promise<void> => {
    if (code) open.get(image)?.reject(new ProblemError(problem(code, 'the test says so')));
    else open.get(image)?.resolve(content);
    return clock.settle();
  };
  return { clock, line, asked, said, ask, answer, open };
}

describe('questions to a registry', () => {
  it('that was never heard come one by one, and many at once when it answers', async () => {
    const { asked, said, ask, answer } = begin();
    const images = Array.from({ length: 12 }, (_, n) => `r.org/app:${n}`);
    ask(...images);
    expect(asked).toEqual(['r.org/app:0']);
    await answer('r.org/app:0');
    expect(said).toEqual([`r.org/app:0 ${content}`]);
    expect(asked).toHaveLength(9);
    await answer('r.org/app:1', 'IMAGE_NOT_FOUND');
    expect(said).toContain('r.org/app:1 IMAGE_NOT_FOUND');
    expect(asked).toHaveLength(10);
  });

  it('that is silent are all answered after two seconds, and at once from then on, until it answers one', async () => {
    const { clock, asked, said, ask, answer } = begin();
    ask('r.org/a', 'r.org/b', 'r.org/c', 's.org/a');
    await clock.advance(1_999);
    expect(said).toEqual([]);
    await clock.advance(1);
    const all = ['r.org/a', 'r.org/b', 'r.org/c', 's.org/a'];
    expect([...said].sort()).toEqual(all.map((image) => `${image} REGISTRY_UNREACHABLE`));
    expect(asked).toEqual(['r.org/a', 's.org/a']);
    await clock.advance(10_000);
    ask('r.org/d');
    await clock.settle();
    expect(said).toHaveLength(5);
    // Asked on the side, once, and nobody waits for it.
    await clock.advance(20_000);
    ask('r.org/e', 'r.org/f');
    await clock.settle();
    expect(said).toHaveLength(7);
    expect(asked).toEqual(['r.org/a', 's.org/a', 'r.org/e']);
    await answer('r.org/e');
    ask('r.org/g');
    await clock.settle();
    expect(said).toHaveLength(7);
    await answer('r.org/g');
    expect(said.at(-1)).toBe(`r.org/g ${content}`);
  });

  it('that fails at once are all answered by one failure, and it is asked again soon, and waited for', async () => {
    const { clock, asked, said, ask, answer } = begin();
    ask(...Array.from({ length: 400 }, (_, n) => `r.org/app:${n}`));
    await answer('r.org/app:0', 'REGISTRY_UNREACHABLE');
    expect(said).toHaveLength(400);
    expect(asked).toHaveLength(1);
    await clock.advance(2_000);
    ask('r.org/late');
    await answer('r.org/late');
    expect(said.at(-1)).toBe(`r.org/late ${content}`);
  });

  it('of which nothing is understood are answered, too', async () => {
    const { said, ask, open, clock } = begin();
    ask('r.org/a');
    open.get('r.org/a')?.reject(new TypeError('a bug'));
    await clock.settle();
    expect(said).toEqual(['r.org/a REGISTRY_UNREACHABLE']);
  });

  it('that a person asks wait for nobody, and longer', async () => {
    const { clock, line, ask, answer, asked } = begin();
    ask('r.org/a');
    await clock.advance(2_000);
    const insisted = line.insist('r.org/b');
    expect(asked).toEqual(['r.org/a', 'r.org/b']);
    await clock.advance(9_000);
    await answer('r.org/b');
    expect(await insisted).toEqual({ content });
    // It speaks again.
    ask('r.org/c');
    expect(asked).toContain('r.org/c');
  });
});
