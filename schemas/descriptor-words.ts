/** The small schemas of which those of descriptors are made. */
import { type TSchema, Type } from 'typebox';
import { appNamePattern } from './names.ts';

/** Unknown keys are errors. */
export const closed = { additionalProperties: false } as const;
/** Of an application, a service, a namespace or a volume. */
export const name = (description: string) =>
  Type.String({
    pattern: appNamePattern.source,
    description: `${description} Letters and digits, dashes inside, at most 30 characters.`,
  });
export const text = (description: string, maxLength = 4096) => Type.String({ maxLength, description });
export const words = (description: string) =>
  Type.Array(Type.String({ maxLength: 32_768 }), { maxItems: 1024, description });
/** At least 0; the description says of what. */
export const amount = (description: string) => Type.Number({ minimum: 0, maximum: 1e9, description });
/** A field of Oakestra that changes nothing: a warning. */
export const ignored = (what: string) => Type.Unknown({ description: `Accepted and ignored. ${what}` });
/** A field that this version refuses, or warns about. */
export const later = (what: string) => Type.Unknown({ description: `Not carried out by this version. ${what}` });
/** All keys optional. */
export const optional = <T extends Record<string, TSchema>>(properties: T) =>
  Type.Partial(Type.Object(properties)).properties;
