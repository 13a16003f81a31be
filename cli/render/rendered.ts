/** What a cluster reads, for people: each value with the file and line where it was written. */
import { type ParsedService, toDescriptor } from '../../schemas/descriptor.ts';
import type { Origin } from '../../schemas/descriptor-parsed.ts';
import type { Paint } from './paint.ts';
import { table } from './table.ts';

interface Row {
  readonly service: string;
  readonly origin: Origin;
}

/** One line per value; the name of a service stands at its first one. */
export function renderOrigins(services: readonly ParsedService[], paint: Paint): string {
  const rows = services.flatMap(({ spec, origins = [] }) =>
    origins.map((origin, index): Row => ({ service: index === 0 ? spec.name : '', origin })),
  );
  const columns = [
    { title: 'SERVICE', value: ({ service }: Row) => service || ' ' },
    { title: 'FIELD', value: ({ origin }: Row) => origin.field },
    { title: 'VALUE', value: ({ origin }: Row) => shortened(origin.value) },
    { title: 'FROM', value: ({ origin }: Row) => placeOf(origin) },
  ];
  return table(rows, columns, { header: paint.dim });
}

function shortened(text: string): string {
  return text.length <= 60 ? text : `${text.slice(0, 59)}…`;
}

function placeOf({ file, line }: Pick<Origin, 'file' | 'line'>): string {
  return `${file}:${line}`;
}

/** A descriptor with all defaults; comments say of each service, and of each of its values, where it was written. */
export async function renderYaml(services: readonly ParsedService[]): Promise<string> {
  const { Document, isMap, isScalar, isSeq } = await import('yaml');
  const document = new Document(toDescriptor(services), { aliasDuplicateObjects: false });
  const byName = new Map(services.map((service) => [service.spec.name, service]));
  const applications = document.get('applications');
  for (const application of isSeq(applications) ? applications.items : []) {
    if (!isMap(application)) continue;
    const owner = [application.get('application_name'), application.get('application_namespace')];
    const microservices = application.get('microservices');
    for (const entry of isSeq(microservices) ? microservices.items : []) {
      if (!isMap(entry)) continue;
      const name = [...owner, entry.get('microservice_name'), entry.get('microservice_namespace')].join('.');
      const service = byName.get(name);
      if (!service) continue;
      entry.commentBefore = ` ${placeOf(service)}`;
      for (const { key, value } of entry.items) {
        const places = placesOf(service, String(isScalar(key) ? key.value : key));
        if (places.length === 0) continue;
        // A comment behind a list would be taken for one of its last item.
        if (isScalar(value)) value.comment = ` ${places.join(', ')}`;
        else if (isScalar(key)) key.commentBefore = ` ${places.join(', ')}`;
      }
    }
  }
  return document.toString({ lineWidth: 0 }).trimEnd();
}

/** Where a field was written: in more than one place if it has several values. */
function placesOf({ origins = [] }: ParsedService, field: string): readonly string[] {
  const own = origins.filter((one) => one.field.startsWith(field) && /^($|[.[])/.test(one.field.slice(field.length)));
  return [...new Set(own.map(placeOf))];
}
