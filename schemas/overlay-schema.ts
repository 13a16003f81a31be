/** Schema of a patch (overlay.ts), for editors: a descriptor of which only names are required. What comes out is checked as a descriptor. */
import { type TSchema, Type } from 'typebox';
import { Descriptor, Microservice } from './descriptor-schema.ts';
import { closed } from './descriptor-words.ts';

const Application = Descriptor.properties.applications.items;

/** All but `required` may be missing, blank (`null`: what is patched loses it), or a part of a map. */
function partOf(properties: Readonly<Record<string, TSchema>>, required: readonly string[]): Record<string, TSchema> {
  const parts = Object.entries(properties).map(([key, schema]): [string, TSchema] => {
    if (required.includes(key)) return [key, schema];
    const { description = '' } = schema as { readonly description?: string };
    const part = Type.IsObject(schema) ? Type.Partial(schema, closed) : schema;
    return [key, Type.Optional(Type.Union([part, Type.Null()], { description }))];
  });
  return Object.fromEntries(parts);
}

const { microservices: _services, ...application } = Application.properties;

/** Schema of a patch document. */
export const Patch = Type.Object(
  {
    patch: Type.String({
      pattern: '^common/.+\\.([yY][aA]?[mM][lL]|[jJ][sS][oO][nN])$',
      description: 'The descriptor that is different here: `common/app.yaml`, beside the folder clusters/.',
    }),
    applications: Type.Array(
      Type.Object(
        {
          ...partOf(application, ['application_name', 'application_namespace']),
          microservices: Type.Optional(
            Type.Array(
              Type.Object(partOf(Microservice.properties, ['microservice_name', 'microservice_namespace']), {
                ...closed,
                description: 'What is different of one service.',
              }),
              { description: 'By name.' },
            ),
          ),
        },
        { ...closed, description: 'What is different of one application.' },
      ),
      { description: 'By name.' },
    ),
  },
  { ...closed, title: 'oakctl patch', description: 'How a descriptor of common/ differs in one cluster.' },
);
