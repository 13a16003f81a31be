/**
 * The page that shows the API's description and tries it out. Nothing of it comes from elsewhere: its program is a package of ours,
 * and the browser is told to load and ask nothing but this server.
 */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

export const documentPath = '/api/openapi.json';
export const pagePath = '/api/docs';

/** No scripts or styles inside the page, no frames around it, no addresses but ours. */
export const pageHeaders = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
} as const;

export const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>oakctl: API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="${pagePath}/swagger-ui.css">
</head>
<body>
<div id="page"></div>
<noscript>This page is a program; the document that it shows is <a href="${documentPath}">${documentPath}</a>.</noscript>
<script src="${pagePath}/swagger-ui-bundle.js"></script>
<script src="${pagePath}/start.js"></script>
</body>
</html>
`;

/** Whoever logs in by trying out a login is logged in. The token is kept in the page and nowhere else. */
const start = `const page = SwaggerUIBundle({
  url: '${documentPath}',
  dom_id: '#page',
  validatorUrl: null,
  queryConfigEnabled: false,
  persistAuthorization: false,
  withCredentials: false,
  deepLinking: true,
  filter: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
  responseInterceptor(answer) {
    const { pathname } = new URL(answer.url, location.href);
    const token = answer.ok && /\\/(login|refresh)$/.test(pathname) && answer.body && answer.body.token;
    if (typeof token === 'string') page.preauthorizeApiKey('token', token);
    return answer;
  },
});
`;

const script = 'text/javascript; charset=utf-8';
/** What the page loads, by file name; all else of the package stays where it is. */
const types: Readonly<Record<string, string>> = {
  'start.js': script,
  'swagger-ui-bundle.js': script,
  'swagger-ui.css': 'text/css; charset=utf-8',
};

export interface PageFile {
  readonly type: string;
  readonly content: Buffer | string;
}

/** Files of the page. Undefined: it loads no such file. Each is read once: many slow readers share what is in memory. */
export function createPageFiles(): (name: string) => Promise<PageFile | undefined> {
  const read = new Map<string, Promise<Buffer>>();
  return async (name) => {
    const type = Object.hasOwn(types, name) ? types[name] : undefined;
    if (type === undefined) return undefined;
    if (name === 'start.js') return { type, content: start };
    const content = read.get(name) ?? readFile(join(packageFolder(), name));
    read.set(name, content);
    content.catch(() => read.delete(name));
    return { type, content: await content };
  };
}

function packageFolder(): string {
  const require = createRequire(import.meta.url);
  return join(dirname(require.resolve('@fastify/swagger-ui/package.json')), 'static');
}
