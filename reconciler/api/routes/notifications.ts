/** Who is told what is wrong, and a test of it. */
import type { FastifyInstance } from 'fastify';
import { NotificationTestBody } from '../../../schemas/api-bodies.ts';
import type { Notifier } from '../../notifier.ts';
import { needs } from '../access.ts';
import { checkBody } from '../bodies.ts';

/** `stopping` aborts what still waits when the server closes. */
export function notificationRoutes(
  app: FastifyInstance,
  notifier: Pick<Notifier, 'views' | 'test'> | undefined,
  stopping: AbortSignal,
): void {
  app.get('/v1/notifications', needs('survey'), async () => ({ items: notifier?.views() ?? [] }));
  app.post('/v1/notifications/test', needs('admin'), async ({ body }) => {
    const { name } = checkBody(NotificationTestBody, body);
    return { items: (await notifier?.test(name, stopping)) ?? [] };
  });
}
