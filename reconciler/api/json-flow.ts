/** Large answers in JSON: written while they are sent, with a turn of the event loop for everybody else after each piece. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { FastifyReply } from 'fastify';
import { jsonPieces } from '../../schemas/json-pieces.ts';
import { sendFlow } from './flow.ts';

/** Sends a value that grows with the cluster. Nobody changes it meanwhile. */
export async function sendJson(reply: FastifyReply, value: unknown): Promise<FastifyReply> {
  return sendFlow(reply, 'application/json; charset=utf-8', (gone) => eachInItsTurn(jsonPieces(value), gone));
}

async function* eachInItsTurn(pieces: Iterable<string>, gone: AbortSignal): AsyncGenerator<string, void, undefined> {
  for (const piece of pieces) {
    if (gone.aborted) return;
    yield piece;
    await nextTurn();
  }
}
