/** The page of the API in a real browser that reaches nothing but this machine, tried out as Oakestra's manual tells it. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasChromium, openBrowser } from '../support/browser.ts';
import { createTestCluster, type TestCluster, takeDown } from '../support/cluster.ts';
import type { ApiDocument } from '../support/described.ts';
import { eventually } from '../support/eventually.ts';
import { unique } from '../support/machine.ts';

/** Runs in the page, before anything of its own. */
const tell = `document.addEventListener('securitypolicyviolation', (event) =>
  told(event.violatedDirective + ' ' + event.blockedURI))`;

describe.skipIf(!hasChromium())('the page of the API', () => {
  const app = unique('hello');
  let cluster: TestCluster;
  let browser: Browser | undefined;
  let page: Page;
  let api: string;
  let password: string;
  /** Addresses that the page asked, what it complained of, and what its policy refused. */
  const asked: string[] = [];
  const complaints: string[] = [];
  const refusals: string[] = [];

  beforeAll(async () => {
    cluster = await createTestCluster({ workers: 1, runtime: 'process' });
    ({ api } = JSON.parse(await readFile(join(cluster.folder, 'endpoints.json'), 'utf8')) as { api: string });
    password = (await readFile(join(cluster.folder, 'admin-password'), 'utf8')).trim();
    const microservices = [
      { microservice_name: 'loop', virtualization: 'process', code: '/bin/sh', cmd: ['-c', 'exec sleep 100000'] },
    ];
    const applications = [{ application_name: app, microservices }];
    await cluster.repository.push({ 'a.yaml': JSON.stringify({ sla_version: 'v2.0', applications }) });
    await cluster.oakctl('sync');
    await cluster.settled({ [`${app}.default.loop.default`]: 1 });
    browser = await openBrowser();
    const context = await browser.newContext();
    page = await context.newPage();
    context.on('request', (request) => void asked.push(request.url()));
    page.on('websocket', (socket) => void asked.push(socket.url()));
    page.on('pageerror', (error) => void complaints.push(String(error)));
    page.on('console', (line) => {
      // An answer that refuses is an answer: it is shown.
      const isAnswer = /^Failed to load resource: .* status of 401 /.test(line.text());
      if (['error', 'warning'].includes(line.type()) && !isAnswer) complaints.push(line.text());
    });
    await context.exposeBinding('told', (_source, refusal: string) => void refusals.push(refusal));
    await context.addInitScript({ content: tell });
    context.setDefaultTimeout(20_000);
    await page.goto(`${api}/api/docs`);
  });
  afterAll(async () => {
    await browser?.close();
    await takeDown(cluster);
  });

  const operation = (method: string, path: string): Locator =>
    page.locator('.opblock', {
      has: page.locator(`[data-path="${path}"]`),
      hasText: new RegExp(`^${method}`),
    });

  /** Opens it if it is closed, and tries it out; what the page shows as the answer. */
  async function tryOut(method: string, path: string, body?: object): Promise<{ status: string; text: string }> {
    const block = operation(method, path);
    const isOpen = (await block.getAttribute('class'))?.split(' ').includes('is-open');
    if (!isOpen) {
      await block.locator('.opblock-summary-control').click();
      await block.getByRole('button', { name: 'Try it out' }).click();
    } else await block.getByRole('button', { name: 'Clear', exact: true }).click();
    if (body) await block.locator('textarea').fill(JSON.stringify(body));
    await block.getByRole('button', { name: 'Execute' }).click();
    const answer = block.locator('.live-responses-table .response');
    await answer.waitFor();
    const textOf = async (part: string) => (await answer.locator(part).textContent()) ?? '';
    return { status: (await textOf('.response-col_status')).trim(), text: await textOf('.response-col_description') };
  }

  const dialogue = (): Locator => page.locator('.dialog-ux');
  /** What the dialogue has of the token of people. */
  const ofToken = (): Locator => dialogue().locator('.auth-container', { hasText: /^token\s/ });
  const openDialogue = (): Promise<void> => page.locator('.auth-wrapper .btn.authorize').click();
  const closeDialogue = (): Promise<void> => dialogue().locator('.close-modal').click();

  async function authorise(token: string): Promise<void> {
    await openDialogue();
    // Whoever pastes without looking pastes here.
    await ofToken().locator('input:focus').waitFor();
    await page.keyboard.insertText(token);
    await ofToken().getByRole('button', { name: 'Apply credentials' }).click();
    await ofToken().getByRole('button', { name: 'Remove authorization' }).waitFor();
    await closeDialogue();
  }

  it('shows every operation of the document, with nothing to complain of', async () => {
    await page.locator('.opblock').first().waitFor();
    const document = (await (await fetch(`${api}/api/openapi.json`)).json()) as ApiDocument;
    const written = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const textsOf = (part: string) => page.locator(`.opblock-summary ${part}`).allTextContents();
    const paths = await textsOf('[data-path]');
    const shown = (await textsOf('.opblock-summary-method')).map((method, index) => `${method} ${paths[index]}`);
    expect(written.length).toBeGreaterThan(100);
    expect(shown.sort()).toEqual(written.sort());
    expect(await page.locator('.errors-wrapper').count()).toBe(0);
    expect(await page.locator('h1, h2').first().textContent()).toContain('oakctl');
    expect(complaints).toEqual([]);
  });

  it('lets nobody in who has no token, and shows why', async () => {
    const { status, text } = await tryOut('GET', '/api/applications');
    expect(status).toBe('401');
    expect(text).toContain('the API needs a token');
  });

  it('is logged in by the login that was tried out', async () => {
    const wrong = await tryOut('POST', '/api/auth/login', { username: 'Admin', password: 'Admin' });
    expect(wrong.status).toBe('401');
    const { status, text } = await tryOut('POST', '/api/auth/login', { username: 'Admin', password });
    expect(status).toBe('200');
    expect(text).toContain('"token"');
    const applications = await tryOut('GET', '/api/applications');
    expect(applications.status).toBe('200');
    expect(applications.text).toContain(`"application_name": "${app}"`);
  });

  it('forgets the token when it is told to, and takes one that was copied', async () => {
    await openDialogue();
    await ofToken().getByRole('button', { name: 'Remove authorization' }).click();
    await closeDialogue();
    expect((await tryOut('GET', '/api/applications')).status).toBe('401');
    const { text } = await tryOut('POST', '/v1/login', { username: 'Admin', password });
    const [, token = ''] = /"token": "([^"]+)"/.exec(text) ?? [];
    await openDialogue();
    await ofToken().getByRole('button', { name: 'Remove authorization' }).click();
    await closeDialogue();
    await authorise(token);
    const applications = await tryOut('GET', '/api/applications');
    expect(applications.status).toBe('200');
    expect(applications.text).toContain(`"application_name": "${app}"`);
  });

  it('is refused after the logout, though it still has the token', async () => {
    expect((await tryOut('POST', '/v1/logout', {})).status).toBe('200');
    const { status, text } = await tryOut('GET', '/api/applications');
    expect(status).toBe('401');
    expect(text).not.toContain(app);
    await openDialogue();
    expect(await ofToken().getByRole('button', { name: 'Remove authorization' }).count()).toBe(1);
    await closeDialogue();
  });

  it('keeps nothing for the next who opens it', async () => {
    expect((await tryOut('POST', '/api/auth/login', { username: 'Admin', password })).status).toBe('200');
    expect((await tryOut('GET', '/api/applications')).status).toBe('200');
    expect(await page.evaluate('localStorage.length + sessionStorage.length + document.cookie.length')).toBe(0);
    await page.reload();
    await page.locator('.opblock').first().waitFor();
    expect((await tryOut('GET', '/api/applications')).status).toBe('401');
  });

  it('asked nobody but this server, and broke no rule of its policy', async () => {
    expect(asked.length).toBeGreaterThan(10);
    expect(asked.filter((url) => !url.startsWith(`${api}/`))).toEqual([]);
    expect(complaints).toEqual([]);
    expect(refusals).toEqual([]);
    // It would have been seen: the browser refuses, and says so.
    const found = await page.evaluate("fetch('https://oakctl.example/').then(String, String)");
    expect(found).toContain('TypeError');
    await eventually(() => expect(refusals).toEqual(['connect-src https://oakctl.example/']));
  });
});
