/** What the API's description says of one route, beside its right. */
import { type TSchema, Type } from 'typebox';

/** How a route that asks nobody for a token is shown who calls. */
export type Credential = 'refresh' | 'node' | 'join';

export interface Operation {
  /** One line. */
  readonly summary: string;
  /** By name; all of them may be left out. */
  readonly query?: Readonly<Record<string, TSchema>>;
  /** The schema that the route validates with. */
  readonly body?: TSchema;
  /** By status. JSON, or a media type in place of a schema. */
  readonly answers: Readonly<Record<number, TSchema | MediaType>>;
  readonly shows?: Credential;
  /** What goes over the WebSocket that it opens. */
  readonly socket?: string;
}

type MediaType = `${string}/${string}`;

/** By method and path, as the route is declared: `GET /v1/services/:name`. */
export type Operations = Readonly<Record<string, Operation>>;

/** Operations with what they have in common. */
export interface OperationGroup {
  /** Its heading. */
  readonly name: string;
  readonly description: string;
  /** What a refusal is. */
  readonly failure: TSchema;
  readonly operations: Operations;
}

export function itemsOf<T extends TSchema>(schema: T) {
  return Type.Object({ items: Type.Array(schema) });
}

/** A list that names narrow down. */
export const namesQuery = {
  name: Type.Array(Type.String(), { description: 'exact, or the beginning of one; repeatable' }),
};

export const flag = Type.Enum(['true', 'false']);
