/** Oakestra's services and their instances. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { instanceName } from '../../../schemas/names.ts';
import type { ServiceView } from '../../../schemas/views.ts';
import { jobOf } from '../../core/oakestra.ts';
import type { OakestraDesk } from '../../oakestra.ts';
import { needs } from '../access.ts';
import { applySla, appOfId, failure, isVisible, servicesOf, visible } from './applications.ts';
import { refuseGit } from './failures.ts';

interface IdRoute {
  Params: { id: string };
}

type Json = Readonly<Record<string, unknown>>;

export function oakestraServiceRoutes(app: FastifyInstance, desk: OakestraDesk): void {
  const serviceOf = (request: FastifyRequest<IdRoute>): ServiceView => {
    const { id } = request.params;
    const name = desk.serviceWith(id);
    const service = name === undefined ? undefined : request.control.service(name);
    if (service && isVisible(service, request)) return service;
    throw failure('NOT_FOUND', id, `there is no service with the id ${id}`);
  };
  const show = (service: ServiceView, { control }: Pick<FastifyRequest, 'control'>): object[] => {
    const registered = control.registered(service.name);
    return registered ? [jobOf(service, registered, control.node, { ids: desk, location: desk.location })] : [];
  };

  app.get('/api/services', needs('read'), async (request) => visible(request).flatMap((one) => show(one, request)));
  app.get<IdRoute>('/api/services/:id', needs('read'), async (request) =>
    servicesOf(appOfId(request.params.id, request, desk), visible(request)).flatMap((one) => show(one, request)),
  );
  app.get<IdRoute>('/api/service/:id', needs('read'), async (request) => show(serviceOf(request), request)[0]);
  app.post('/api/service', needs('change'), async (request) => {
    const [application] = applicationsIn(request.body);
    const { applicationID } = application ?? {};
    if (typeof applicationID !== 'string' || applicationID === '')
      throw failure(
        'BAD_REQUEST',
        'applicationID',
        'a service is added to an application: its applicationID is needed',
      );
    const name = appOfId(applicationID, request, desk);
    const sla = {
      ...(request.body as Json),
      applications: [{ application_desc: desk.applications(request.caller).get(name), ...application, ...named(name) }],
    };
    const services = await applySla(sla, request, desk, 'add');
    const last = services.at(-1);
    return {
      job_id: last === undefined ? '' : desk.service(last),
      deployed_services: services.map((service) => ({ service_name: service, status: 'ok' })),
      failed_services: [],
    };
  });
  app.put<IdRoute>('/api/service/:id', needs('change'), async (request) => {
    const service = serviceOf(request);
    refuseGit(service);
    const [application = {}] = applicationsIn(request.body);
    const [microservice] = (application['microservices'] ?? []) as readonly Json[];
    if (!microservice) throw failure('BAD_REQUEST', 'microservices', 'the SLA holds no service');
    const name = service.name.split('.').slice(0, 2).join('.');
    const edited = { ...microservice, microserviceID: request.params.id };
    const whole = { ...application, ...named(name), applicationID: desk.app(name), microservices: [edited] };
    await applySla({ ...(request.body as Json), applications: [whole] }, request, desk, 'edit');
    return { message: `${service.name} was updated` };
  });
  app.delete<IdRoute>('/api/service/:id', needs('change'), async (request) => {
    const service = serviceOf(request);
    refuseGit(service);
    await request.control.remove({ services: [service.name] }, request.caller.name);
    return { message: `${service.name} was deleted` };
  });
  app.post<IdRoute>('/api/service/:id/instance', needs('change'), async (request) => {
    const service = serviceOf(request);
    refuseGit(service);
    const { instance } = await request.control.addInstance(service.name, request.caller.name);
    return { message: 'ok', instance_number: Number(instance.slice(instance.lastIndexOf('.') + 1)) };
  });
  app.delete<{ Params: { id: string; number: string } }>(
    '/api/service/:id/instance/:number',
    needs('change'),
    async (request) => {
      const service = serviceOf(request);
      refuseGit(service);
      const { number } = request.params;
      if (number === '-1') await request.control.scale(service.name, 0, { actor: request.caller.name });
      else if (/^(0|[1-9]\d{0,8})$/.test(number))
        await request.control.dropInstance(instanceName(service.name, Number(number)), request.caller.name);
      else throw failure('BAD_REQUEST', number, 'an instance has a number; -1 stands for all');
      return { message: 'ok' };
    },
  );
}

function applicationsIn(body: unknown): readonly Json[] {
  const list = typeof body === 'object' && body !== null && 'applications' in body ? body.applications : undefined;
  if (Array.isArray(list) && list.every((one) => typeof one === 'object' && one !== null))
    return list as readonly Json[];
  throw failure('BAD_REQUEST', 'applications', 'the body must be an SLA: an object with `applications`');
}

function named(app: string): Json {
  const [application_name, application_namespace] = app.split('.');
  return { application_name, application_namespace };
}
